use std::fs;
use std::sync::Arc;
use std::time::Duration;

use silverback::backend::{Backend, Files, FilesOptions, GorillaFiles};

use super::capture;
use super::operations::{Secrets, capture_errors};
use super::scratch::Scratch;

/// Successful operations, and failed ones: the folder is removed, and its locks are held.
#[tokio::test]
async fn no_secret_of_files_is_logged() {
    capture::start();
    for is_gorillas in [false, true] {
        let scratch = Scratch::new("SILVERBACK_LOGS");
        let folder = scratch.path().join("sessions");
        let options = FilesOptions::new().timeout(Duration::from_millis(200));
        let backend: Arc<dyn Backend> = match is_gorillas {
            false => Arc::new(Files::open_with(&folder, options).unwrap()),
            true => Arc::new(GorillaFiles::open_with(&folder, options).unwrap()),
        };
        let secrets = Secrets::new();
        secrets.try_all(&*backend).await.unwrap();
        let locks = folder.join(if is_gorillas { ".silverback" } else { "locks" });
        let held: Vec<_> = fs::read_dir(locks)
            .unwrap()
            .map(|entry| {
                let file = fs::File::open(entry.unwrap().path()).unwrap();
                file.lock().unwrap();
                file
            })
            .collect();
        let refused = backend.create(&secrets.key(), &secrets.record()).await;
        assert!(refused.as_ref().is_err_and(|error| error.is_unavailable()));
        capture_errors(refused);
        drop(held);
        fs::rename(&folder, scratch.path().join("away")).unwrap();
        let refused = backend.load(&secrets.key()).await;
        assert!(refused.as_ref().is_err_and(|error| error.is_unavailable()));
        capture_errors(refused);
        assert!(secrets.try_all(&*backend).await.is_err());
        secrets.are_not_logged();
    }
}
