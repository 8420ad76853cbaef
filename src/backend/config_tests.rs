//! The options of backends as configuration files have them.

use serde::de::DeserializeOwned;

use super::*;

/// Checks that the keys give these options, that no key gives the defaults, and that others are
/// refused.
fn check<T: DeserializeOwned + std::fmt::Debug>(json: &str, expected: &T, default: &T) {
    let read = |json: &str| serde_json::from_str::<T>(json);
    let shown = |options: &T| format!("{options:?}");
    assert_eq!(shown(&read(json).unwrap()), shown(expected));
    assert_eq!(shown(&read("{}").unwrap()), shown(default));
    assert_ne!(shown(expected), shown(default));
    for wrong in [r#"{"timeuot": "1s"}"#, r#"{"timeout": 1}"#] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn memory() {
    let options = MemoryOptions::new().capacity(7).capacity_without_owner(3);
    let json = r#"{"capacity": 7, "capacity_without_owner": 3}"#;
    check(json, &options, &MemoryOptions::new());
}

#[test]
fn connections() {
    let second = std::time::Duration::from_secs(1);
    let options = ConnectOptions::new()
        .timeout(second)
        .create_if_missing(false);
    let json = r#"{"timeout": "1s", "create_if_missing": false}"#;
    check(json, &options, &ConnectOptions::new());
    #[cfg(feature = "postgres")]
    {
        let options = PostgresOptions::new().timeout(second).max_connections(3);
        let options = options.create_if_missing(false).unprepared();
        let json = r#"{"timeout": "1s", "max_connections": 3, "create_if_missing": false,
            "unprepared": true}"#;
        check(json, &options, &PostgresOptions::new());
    }
    #[cfg(feature = "redis")]
    {
        let options = RedisOptions::new()
            .prefix("a:")
            .timeout(second)
            .connections(3);
        let options = options.wait_for_replicas(2);
        let json = r#"{"prefix": "a:", "timeout": "1s", "connections": 3, "wait_for_replicas": 2}"#;
        check(json, &options, &RedisOptions::new());
    }
    #[cfg(feature = "etcd")]
    {
        let options = EtcdOptions::new().prefix("a/").timeout(second);
        let json = r#"{"prefix": "a/", "timeout": "1s"}"#;
        check(json, &options, &EtcdOptions::new());
        let secret = r#"{"user": {"name": "ape", "password": "x"}}"#;
        assert!(serde_json::from_str::<EtcdOptions>(secret).is_err());
    }
    #[cfg(feature = "dynamodb")]
    {
        let options = DynamoDbOptions::new().prefix("a").timeout(second);
        let json = r#"{"prefix": "a", "timeout": "1s"}"#;
        check(json, &options, &DynamoDbOptions::new());
    }
}
