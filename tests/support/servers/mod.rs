//! Test servers: real ones, on loopback, on free ports, with their data in temporary folders. They
//! always end with the test process.

#![allow(dead_code)] // not every test uses all of it

mod background;
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

/// Returns a port on which no program listens.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let port = listener.and_then(|listener| listener.local_addr());
    port.map(|address| address.port())
        .map_err(|error| error.to_string())
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
