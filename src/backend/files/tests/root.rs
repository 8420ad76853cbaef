//! Files of a store that root opens.

use super::*;

/// A file that root makes in another user's store belongs to that user.
#[cfg(unix)]
#[tokio::test]
async fn root_makes_files_for_the_owner_of_the_store() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    const USER: u32 = 61_234;
    const GROUP: u32 = 61_235;
    if !rustix::process::geteuid().is_root() {
        return; // and `tests/cli/other_users.rs` says that it did not run
    }
    for (mode, of_files, of_folders) in [
        (0o700, 0o600, 0o700),
        (0o770, 0o660, 0o770),
        (0o755, 0o600, 0o700),
    ] {
        let folder = Temporary::new();
        fs::create_dir(&folder.0).unwrap();
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).unwrap();
        chown(&folder.0, Some(USER), Some(GROUP)).unwrap();
        let backend = Files::open(&folder.0).unwrap();
        let record = Record::new("v", soon());
        create(&backend, &key("a"), &record).await;
        begun(&backend, "ape").await;
        let gorilla = GorillaFiles::open(folder.0.join("gorilla")).unwrap();
        chown(folder.0.join("gorilla"), Some(USER), Some(GROUP)).unwrap();
        drop(gorilla);
        fs::remove_dir_all(folder.0.join("gorilla/.silverback")).unwrap();
        let gorilla = GorillaFiles::open(folder.0.join("gorilla")).unwrap();
        create(&gorilla, &key("A"), &record).await;
        let mut found = vec![folder.0.clone()];
        while let Some(path) = found.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            let owner = (metadata.uid(), metadata.gid());
            assert_eq!(owner, (USER, GROUP), "{path:?}");
            let is_ours = path != folder.0 && !path.starts_with(folder.0.join("gorilla"));
            let expected = if metadata.is_dir() {
                of_folders
            } else {
                of_files
            };
            let is_so = metadata.mode() & 0o777 == expected;
            assert!(!is_ours || is_so, "{path:?} {:o}", metadata.mode());
            if metadata.is_dir() {
                found.extend(list(&path).unwrap());
            }
        }
        // No link leads the store out of its folder.
        let outside = Temporary::new();
        fs::create_dir(&outside.0).unwrap();
        let part = backend.0.folder().record_path(&HashedName::of(b"b"));
        let part = part.parent().unwrap();
        let _ = fs::remove_dir_all(part);
        symlink(&outside.0, part).unwrap();
        let refused = backend.create(&key("b"), &record).await.unwrap_err();
        assert!(refused.is_unavailable(), "{refused}");
        assert_eq!(list(&outside.0).unwrap(), [] as [PathBuf; 0]);
    }
}
