//! Test servers: real ones, on loopback, on free ports, with their data in temporary folders. They
//! always end with the test process.

#![allow(dead_code)] // not every test uses all of it

mod background;
#[cfg(any(feature = "etcd", feature = "redis"))]
pub(crate) mod certificate;
#[cfg(feature = "aws")]
pub(crate) mod dynamodb;
#[cfg(feature = "etcd")]
pub(crate) mod etcd;
#[cfg(feature = "mysql")]
pub(crate) mod mariadb;
#[cfg(feature = "memcached")]
pub(crate) mod memcached;
#[cfg(feature = "postgres")]
pub(crate) mod pgbouncer;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod proxy;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod skew;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns a port on which no program listens, each time another one. The system gives none of
/// these to outgoing connections, so the port stays free until a server takes it.
pub(crate) fn free_port() -> Result<u16, String> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different ports.
    let begin = std::process::id().wrapping_mul(997);
    for _ in 0..COUNT {
        let next = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + next % COUNT).map_err(|error| error.to_string())?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free".to_owned())
}

/// Returns the first folder, of these and then of the path, that contains all programs.
fn folder_with(programs: &[&str], folders: Vec<PathBuf>) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = folders
        .into_iter()
        .chain(std::env::split_paths(&path))
        .find(|folder| {
            let mut programs = programs.iter();
            programs.all(|program| folder.join(program).is_file())
        });
    found.ok_or_else(|| {
        format!(
            "not all of these programs are installed: {}",
            programs.join(", ")
        )
    })
}
