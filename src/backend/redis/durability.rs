//! Checks on connecting whether the server may lose records that it acknowledged.

use redis::Value;
use tracing::warn;

use super::super::Error;
use super::client::Client;
use super::options::RedisOptions;

impl Client {
    /// Warns once if the server may lose records, or refuses it if the options require durability.
    pub(super) async fn check_durability(&self, options: &RedisOptions) -> Result<(), Error> {
        let info = redis::cmd("INFO");
        let operation = self.operation();
        let nodes = operation.nodes().await?;
        for node in &nodes {
            let risk = match operation.read_from(node.as_ref(), info.clone()).await {
                Ok(Value::BulkString(text)) => risk_in(&String::from_utf8_lossy(&text)),
                Ok(Value::VerbatimString { text, .. }) => risk_in(&text),
                Ok(_) => Some("does not show its settings"),
                Err(_) => Some("does not show its settings"),
            };
            match risk {
                None => {}
                Some(risk) if options.require_durability => {
                    return Err(Error::usage(format!(
                        "the Redis server may lose sessions: it {risk}"
                    )));
                }
                Some(risk) => {
                    warn!("the Redis server may lose sessions: it {risk}");
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Returns why a server with this answer to `INFO` may lose records.
fn risk_in(info: &str) -> Option<&'static str> {
    let field = |name: &str| {
        info.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(value.trim_end())
        })
    };
    let has_limit = field("maxmemory").is_none_or(|limit| limit != "0");
    let evicts = field("maxmemory_policy").is_none_or(|policy| policy != "noeviction");
    match (evicts && has_limit, field("aof_enabled")) {
        (true, _) => Some("evicts keys if its memory is full (set maxmemory-policy to noeviction)"),
        (false, Some("1")) => None,
        (false, _) => Some(
            "writes no append-only file, so that a restart loses the latest (set appendonly to yes)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(maxmemory: u32, policy: &str, aof: u32) -> String {
        format!(
            "# Memory\r\nmaxmemory:{maxmemory}\r\nmaxmemory_policy:{policy}\r\n\
             # Persistence\r\naof_enabled:{aof}\r\n"
        )
    }

    #[test]
    fn a_server_that_evicts_or_writes_no_file_may_lose_records() {
        for (info, is_durable) in [
            (info(0, "noeviction", 1), true),
            (info(100, "noeviction", 1), true),
            (info(0, "allkeys-lru", 1), true), // without a limit it never evicts
            (info(100, "allkeys-lru", 1), false),
            (info(100, "volatile-ttl", 1), false),
            (info(0, "noeviction", 0), false),
            (String::new(), false),
        ] {
            assert_eq!(risk_in(&info).is_none(), is_durable, "{info}");
        }
    }
}
