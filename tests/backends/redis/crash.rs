//! A server that is killed during writes.

use super::super::crash::{Killable, check_killed_server, count_lost_writes};
use super::super::servers::redis::RedisServer;
use super::Tried;

impl Killable for RedisServer {
    fn url(&self) -> String {
        RedisServer::url(self)
    }

    fn kill(&mut self) {
        RedisServer::kill(self);
    }

    fn start_again(&mut self) -> Result<(), String> {
        RedisServer::start_again(self)
    }
}

/// This test uses its own server.
pub(super) async fn a_server_that_writes_each_command_to_its_file_loses_none(
    _: &RedisServer,
) -> Tried {
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    check_killed_server("redis", RedisServer::start(&settings)?).await
}

/// With this setting a server that is killed loses what it had not yet given to the operating
/// system. How much that is depends on the disk, so the number is only reported.
pub(super) async fn a_server_that_writes_its_file_each_second_invents_nothing(
    _: &RedisServer,
) -> Tried {
    let settings = ["--appendonly", "yes", "--appendfsync", "everysec"];
    let server = RedisServer::start(&settings)?;
    count_lost_writes("redis with appendfsync everysec", server).await?;
    Ok(())
}
