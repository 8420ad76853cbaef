//! Owners and modes of files on POSIX systems.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{Access as Rights, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};

use super::super::Error;
use super::another_users;

const ROOT: u32 = 0;

/// The parts of a mode: the rights of the owner, of the group, and of all others.
const OWNER: u32 = 0o700;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// The rights that a group needs to share the files of a folder: to read and to write.
const SHARED: u32 = 0o060;

/// The bit of a folder's mode that gives new files the folder's group.
const SET_GROUP: u32 = 0o2000;

/// The bits that the mode of a file without execute rights may have.
const FILE: u32 = 0o666;

/// The owner and the mode that the new files and folders of a store get.
///
/// They are those of the folder that contains the store, but users other than its owner and its
/// group never get rights. The group gets rights only if the folder's mode is closed to others
/// (0770).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Access {
    /// `None` keeps the user who runs this program.
    user: Option<u32>,
    /// `None` keeps the group that the system chooses.
    group: Option<u32>,
    /// The rights of the group, as bits of a folder's mode.
    group_bits: u32,
}

/// The owner, the group and the mode of a folder.
#[derive(Clone, Copy)]
struct FolderRights {
    user: u32,
    group: u32,
    mode: u32,
}

/// The user who runs this program, and the user's groups.
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl From<Metadata> for FolderRights {
    fn from(found: Metadata) -> Self {
        FolderRights {
            user: found.uid(),
            group: found.gid(),
            mode: found.mode(),
        }
    }
}

impl Process {
    fn current() -> Self {
        let groups = getgroups().unwrap_or_default().into_iter();
        Process {
            user: geteuid().as_raw(),
            groups: groups
                .chain([getegid()])
                .map(|group| group.as_raw())
                .collect(),
        }
    }
}

impl Access {
    /// Reads the access from the folder `store`, which the store created for itself below `folder`.
    /// If the store does not exist yet, reads it from `folder`.
    ///
    /// # Errors
    /// Returns an unavailable error if the store belongs to another user, who could not read the
    /// new files.
    pub(in super::super) fn of(store: &Path, folder: &Path) -> Result<Self, Error> {
        let process = Process::current();
        if let Ok(found) = fs::metadata(store) {
            let access = Access::in_store(found.into(), &process);
            return access.ok_or_else(|| another_users(store));
        }
        Ok(match fs::metadata(folder) {
            Ok(found) => Access::below(found.into(), &process),
            Err(_) => Access::default(),
        })
    }

    /// Returns `None` if the owner of the store could not read the files that the process writes.
    fn in_store(store: FolderRights, process: &Process) -> Option<Self> {
        let access = Access::below(store, process);
        let is_shared = access.group_bits & SHARED == SHARED;
        let is_readable = [ROOT, store.user].contains(&process.user) || is_shared;
        is_readable.then_some(access)
    }

    fn below(folder: FolderRights, process: &Process) -> Self {
        let is_root = process.user == ROOT;
        let may_give = is_root || process.groups.contains(&folder.group);
        let group_bits = match folder.mode & OTHERS == 0 && may_give {
            true => folder.mode & (GROUP | SET_GROUP),
            false => 0,
        };
        let user = (is_root && folder.user != ROOT).then_some(folder.user);
        let is_given = user.is_some() || group_bits & GROUP != 0;
        Access {
            user,
            group: is_given.then_some(folder.group),
            group_bits,
        }
    }

    /// Checks that the folder exists, and that this program may create and find files in it.
    #[cfg(feature = "files")]
    pub(in super::super) fn check_folder(path: &Path) -> io::Result<()> {
        let all = Rights::READ_OK | Rights::WRITE_OK | Rights::EXEC_OK;
        check_access(path, all)?;
        Ok(())
    }

    /// Returns `false` only if the system denies this program reading or writing the file. A
    /// missing file is not denied.
    #[cfg(feature = "sqlite")]
    pub(in super::super) fn may_use_file(path: &Path) -> bool {
        check_access(path, Rights::READ_OK | Rights::WRITE_OK) != Err(Errno::ACCESS)
    }

    /// Creates a file that did not exist, and opens it for writing.
    pub(in super::super) fn new_file(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(OWNER & FILE);
        let file = file.open(path)?;
        match self.set_owner(&file, (OWNER | self.group_bits) & FILE) {
            Ok(()) => Ok(file),
            Err(error) => {
                let _ = fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Creates a folder, and returns whether it was missing. Anything other than a folder at this
    /// path is an error. A link is an error too if this program acts for another user, who could
    /// lead the link to any place.
    #[cfg(feature = "files")]
    pub(in super::super) fn make_folder(self, path: &Path) -> io::Result<bool> {
        if self.is_folder(path)? {
            return Ok(false);
        }
        let mut builder = fs::DirBuilder::new();
        let made = std::os::unix::fs::DirBuilderExt::mode(&mut builder, OWNER).create(path);
        match made {
            // Another process has just made the folder, and sets its owner and mode.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && self.is_folder(path)? =>
            {
                return Ok(false);
            }
            made => made?,
        }
        self.set_owner(&open_folder(path)?, OWNER | self.group_bits)?;
        Ok(true)
    }

    #[cfg(feature = "files")]
    fn is_folder(self, path: &Path) -> io::Result<bool> {
        let found = match self.user {
            Some(_) => fs::symlink_metadata(path),
            None => fs::metadata(path),
        };
        match found {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sets the owner and the mode of a file that this program has just created. Uses the open
    /// file, and not its path, which may lead to another file by now.
    fn set_owner(self, file: &File, mode: u32) -> io::Result<()> {
        if self == Access::default() {
            return Ok(());
        }
        let found = file.metadata()?;
        let is_other = |wanted: Option<u32>, found| wanted.is_some_and(|wanted| wanted != found);
        if is_other(self.user, found.uid()) || is_other(self.group, found.gid()) {
            fchown(file, self.user, self.group)?;
        }
        file.set_permissions(Permissions::from_mode(mode))
    }
}

/// Checks that the effective user of this program has the rights.
fn check_access(path: &Path, rights: Rights) -> Result<(), Errno> {
    accessat(CWD, path, rights, AtFlags::EACCESS)
}

/// Opens the folder itself, and follows no link in its place.
#[cfg(feature = "files")]
fn open_folder(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: u32 = 1_000;
    const APE: u32 = 1_001;
    const WEB: u32 = 2_000;

    fn folder(user: u32, mode: u32) -> FolderRights {
        let group = WEB;
        FolderRights { user, group, mode }
    }

    fn process(user: u32, groups: &[u32]) -> Process {
        let groups = groups.to_vec();
        Process { user, groups }
    }

    #[test]
    fn files_created_by_root_belong_to_the_owner_of_the_store() {
        let root = process(ROOT, &[ROOT]);
        for (mode, group_bits) in [(0o700, 0), (0o750, 0o050), (0o2770, 0o2070), (0o755, 0)] {
            let expected = Access {
                user: Some(SHOP),
                group: Some(WEB),
                group_bits,
            };
            let access = Access::in_store(folder(SHOP, mode), &root);
            assert_eq!(access, Some(expected), "{mode:o}");
        }
    }

    #[test]
    fn another_user_writes_only_what_the_owner_can_read() {
        let (member, stranger) = (process(APE, &[WEB]), process(APE, &[APE]));
        for (mode, allowed) in [
            (0o770, true),
            (0o750, false),
            (0o700, false),
            (0o777, false),
        ] {
            let access = Access::in_store(folder(SHOP, mode), &member);
            assert_eq!(access.is_some(), allowed, "{mode:o}");
            assert_eq!(Access::in_store(folder(SHOP, mode), &stranger), None);
        }
        // In another user's folder the process may create a store of its own.
        let own = Access::below(folder(ROOT, 0o1777), &stranger);
        assert_eq!(own, Access::default());
    }

    #[test]
    fn a_group_has_access_to_its_own_folder() {
        let shop = process(SHOP, &[SHOP, WEB]);
        let shared = Access::in_store(folder(SHOP, 0o770), &shop).unwrap();
        assert_eq!((shared.group, shared.group_bits), (Some(WEB), 0o070));
        // The process is not in the folder's group, so it cannot give that group any files.
        let outside = process(SHOP, &[SHOP]);
        let own = Access::in_store(folder(SHOP, 0o770), &outside);
        assert_eq!(own, Some(Access::default()));
    }
}
