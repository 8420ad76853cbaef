//! A PgBouncer in transaction mode, which runs each transaction on another connection.

use std::net::TcpStream;

use super::background::{BackgroundProgram, User, own_folder};
use super::postgres::PostgresServer;
use super::{folder_with, free_port};

pub(crate) struct PgBouncer {
    port: u16,
    _background: BackgroundProgram,
}

impl PgBouncer {
    /// Starts a pooler in front of that server, or returns the reason why not.
    pub(crate) fn start(server: &PostgresServer) -> Result<Self, String> {
        let sbin = vec!["/usr/sbin".into()];
        let program = folder_with(&["pgbouncer"], sbin)?.join("pgbouncer");
        let (folder, port) = (own_folder("pgbouncer")?, free_port()?);
        let settings = format!(
            "[databases]\n\
             postgres = host=127.0.0.1 port={} user=silverback dbname=postgres\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             default_pool_size = 4\n\
             server_round_robin = 1\n\
             ignore_startup_parameters = extra_float_digits\n",
            server.port()
        );
        let written = std::fs::write(folder.join("settings.ini"), settings);
        written.map_err(|error| error.to_string())?;
        let background = BackgroundProgram::run(
            &folder,
            &program,
            &["settings.ini"],
            &[],
            User::NotRoot("INT"),
        )?;
        background.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(PgBouncer {
            port,
            _background: background,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}
