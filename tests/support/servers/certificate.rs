//! A certificate for servers with TLS.

use std::path::PathBuf;

use super::background::{as_nobody, own_folder};

/// A certificate for this machine, which no authority signed.
pub(crate) struct Certificate {
    folder: PathBuf,
}

impl Certificate {
    pub(crate) fn make() -> Result<Self, String> {
        let folder = own_folder("certificate")?;
        let made = as_nobody("openssl", &folder)
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args([
                "-nodes",
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .output()
            .map_err(|error| format!("openssl: {error}"))?;
        match made.status.success() {
            true => Ok(Certificate { folder }),
            false => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
