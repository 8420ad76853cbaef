//! Tables in DynamoDB that a Go program and Silverback share: those of savaki/dynastore itself, and
//! those of pratikju/dynamostore, which is not available as a module: a few lines of Go make the
//! same items in its place.

use std::sync::{Arc, LazyLock};

use serde_json::json;
use silverback::backend::{
    Backend, DynamoDbOptions, Expiry, GoDynamoDb, GoItems, Key, Outcome, Record,
};
use silverback::codec::Codec;
use silverback::compat::{DynamoStore, DynamoStoreConfig};
use silverback::session::testing::Jar;
use silverback::session::{Dialect, ServerOptions, ServerStore};

use crate::alternating::both_programs_see_the_same_values;
use crate::required::not_run;
use crate::servers::dynamodb::{DynamoDbServer, client};
use crate::sessions::hex;
use crate::store::{BLOCK_KEY, HASH_KEY, RUNTIME, SharedStore, codec, cookie};

static SERVER: LazyLock<Result<DynamoDbServer, String>> = LazyLock::new(DynamoDbServer::start);

/// Returns the server's endpoint, or `None` after a message if there is no server.
pub(crate) fn endpoint() -> Option<String> {
    match &*SERVER {
        Ok(server) => Some(server.endpoint()),
        Err(why) => {
            not_run("dynamodb", why);
            None
        }
    }
}

fn shared(store: ServerStore, endpoint: &str, table: &str) -> SharedStore {
    SharedStore {
        stores: store.into(),
        go: "http",
        place: json!({"endpoint": endpoint, "table": table}),
    }
}

fn dynastore() -> Option<(SharedStore, Arc<dyn Backend>)> {
    let endpoint = endpoint()?;
    let (items, options) = (GoItems::dynastore(), DynamoDbOptions::new());
    let backend = GoDynamoDb::from_client(&client(&endpoint), "dynastore", items, options).unwrap();
    RUNTIME.block_on(backend.migrate()).unwrap();
    let backend: Arc<dyn Backend> = Arc::new(backend);
    let options = ServerOptions::new().cookie(cookie());
    let dialect = Dialect::dynastore(codec());
    let store = ServerStore::with_options(dialect, backend.clone(), options).unwrap();
    Some((shared(store, &endpoint, "dynastore"), backend))
}

/// Uses the settings of its constructor.
fn dynamostore() -> Option<(SharedStore, Arc<dyn Backend>)> {
    let endpoint = endpoint()?;
    let keys = format!("{}:{}", hex(&HASH_KEY), hex(&BLOCK_KEY));
    let config = DynamoStoreConfig::new();
    let client = client(&endpoint);
    let store = DynamoStore::from_client(&client, config, keys.parse().unwrap());
    let store = store.unwrap().max_length(0);
    let backend = store.backend();
    RUNTIME.block_on(backend.migrate()).unwrap();
    let sessions = store.named("session").unwrap();
    Some((shared(sessions, &endpoint, "session-backend"), backend))
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_dynastore() {
    if let Some((shared, _)) = dynastore() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn a_go_program_and_silverback_share_a_session_in_the_items_of_dynamostore() {
    if let Some((shared, _)) = dynamostore() {
        shared.share_sessions();
        shared.keep_limits();
        shared.end_sessions();
    }
}

#[test]
fn both_programs_see_the_same_values_in_dynastore() {
    if let Some((shared, _)) = dynastore() {
        both_programs_see_the_same_values(&shared);
    }
}

#[test]
fn both_programs_see_the_same_values_in_the_items_of_dynamostore() {
    if let Some((shared, _)) = dynamostore() {
        both_programs_see_the_same_values(&shared);
    }
}

/// An item expires in the second that the Go package intends, and an item that expired a second ago
/// is gone for both programs, even if it still exists.
#[test]
fn an_item_expires_at_its_expiry() {
    for (shared, backend) in [dynastore(), dynamostore()].into_iter().flatten() {
        let Some(mut gorilla) = crate::Gorilla::start() else {
            return;
        };
        let mut jar = Jar::new();
        let set = json!({"change": {"set": {"name": "Koko"}}});
        let made = shared.ask(&mut gorilla, "change", &jar, &set);
        jar.set("session", made["cookie"].as_str().unwrap());
        let made = made["cookie"].as_str().unwrap();
        let id = match shared.place["table"] == "dynastore" {
            true => made.to_owned(),
            false => codec().decode::<String>("session", made).unwrap(),
        };
        let key = Key::new(id).unwrap();
        let stored = RUNTIME.block_on(backend.load(&key)).unwrap().unwrap();
        let left = stored.record.expiry().as_millis() - Expiry::now().as_millis();
        let month = 30 * 24 * 3_600_000;
        assert!((left - month).abs() < 60_000, "{left} ms");

        let now = Expiry::now().as_millis();
        let over = stored.record.with_expiry(Expiry::from_millis(now - 1_000));
        let over = Record::new(over.value(), over.expiry());
        let swapped = RUNTIME.block_on(backend.swap(&key, &stored.revision, &over));
        assert!(matches!(swapped.unwrap(), Outcome::Done(_)));
        assert_eq!(RUNTIME.block_on(backend.load(&key)).unwrap(), None);
        shared.visit(&mut jar.clone(), |session| assert!(session.is_new()));
        let seen = shared.ask(&mut gorilla, "change", &jar, &json!({}));
        assert_eq!(seen["values"], serde_json::Value::Null, "{seen}");
    }
}
