//! [`ServerList`]: the server of each key, as Go's client chooses it.

use memcache::exp::Router;

/// The polynomial of CRC-32 (IEEE 802.3), reversed.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// Chooses the server of a key as gomemcache does (`memcache/selector.go`, `ServerList.PickServer`):
/// by the CRC-32 of the key, in the order in which the servers are named.
pub(super) struct ServerList;

impl Router for ServerList {
    fn route(&self, key: &[u8], servers: &[String]) -> usize {
        let count = u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1);
        usize::try_from(crc32(key) % count).unwrap_or_default()
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let of_byte = |remainder: u32, byte: &u8| {
        (0..8).fold(remainder ^ u32::from(*byte), |remainder, _| {
            match remainder & 1 {
                0 => remainder >> 1,
                _ => (remainder >> 1) ^ POLYNOMIAL,
            }
        })
    };
    !bytes.iter().fold(u32::MAX, of_byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_on_the_server_that_gomemcache_chooses() {
        // The check value of CRC-32 (RFC 1952 has the algorithm).
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        let servers = |count: usize| vec![String::new(); count];
        assert_eq!(ServerList.route(b"123456789", &servers(1)), 0);
        assert_eq!(ServerList.route(b"123456789", &servers(3)), 0xCBF4_3926 % 3);
        assert_eq!(ServerList.route(b"123456789", &servers(0)), 0);
    }
}
