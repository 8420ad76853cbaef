//! The table: created once, never changed without request, and shared.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveStatus,
};
use silverback::backend::{
    Backend, ConnectOptions, Created, DynamoDb, DynamoDbOptions, Expiry, Generations, GoDynamoDb,
    GoItems, Key, Login, Outcome, Owner, OwnerName, Owners, Scan, connect_with,
};

use super::super::Tried;
use super::super::faults::{key, record};
use super::super::servers::dynamodb::{DynamoDbServer, client};
use super::{open, open_go};

async fn has_time_to_live(client: &Client, table: &str) -> Result<bool, libtest_mimic::Failed> {
    let description = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await?;
    let status = description
        .time_to_live_description
        .and_then(|description| description.time_to_live_status);
    Ok(matches!(
        status,
        Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
    ))
}

pub(super) async fn a_table_is_created_once_and_not_changed(server: &DynamoDbServer) -> Tried {
    let client = client(&server.endpoint());
    let lasting = |options| open(&client, "lasting", options);
    // Several tasks create it at once. Expired items are removed, unless the options disable that.
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { open(&client, "at_once", DynamoDbOptions::new()).await })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    assert!(has_time_to_live(&client, "at_once").await?);
    let options = DynamoDbOptions::new().ttl_enabled(false);
    lasting(options.provisioned(3, 2)).await?;
    assert!(!has_time_to_live(&client, "lasting").await?);
    // An existing table is changed only on request.
    lasting(DynamoDbOptions::new().provisioned(7, 7)).await?;
    assert!(!has_time_to_live(&client, "lasting").await?);
    lasting(DynamoDbOptions::new().ttl_enabled(true)).await?;
    lasting(DynamoDbOptions::new().ttl_enabled(true)).await?;
    assert!(has_time_to_live(&client, "lasting").await?);
    let described = client.describe_table().table_name("lasting").send().await?;
    let table = described.table().expect("the table exists");
    let throughput = table
        .provisioned_throughput()
        .expect("the throughput is provisioned");
    assert_eq!(
        (
            throughput.read_capacity_units(),
            throughput.write_capacity_units()
        ),
        (Some(3), Some(2))
    );
    // A table that does not exist, and is not created.
    let absent = DynamoDb::from_client(&client, "absent", DynamoDbOptions::new())?;
    let refused = absent.load(&key()).await.unwrap_err();
    assert!(
        refused.to_string().contains("ResourceNotFoundException"),
        "{refused}"
    );
    let odd = open(&client, "no table's name", DynamoDbOptions::new())
        .await
        .unwrap_err();
    let text = odd.to_string();
    assert!(odd.is_unavailable() && text.contains("name"), "{text}");
    let long = DynamoDbOptions::new().prefix("x".repeat(129));
    let refused = DynamoDb::from_client(&client, "long", long).unwrap_err();
    assert!(refused.is_usage());
    Ok(())
}

pub(super) async fn prefixes_share_only_the_table(server: &DynamoDbServer) -> Tried {
    let client = client(&server.endpoint());
    let with = |prefix: &str| {
        let options = DynamoDbOptions::new().prefix(prefix);
        let client = client.clone();
        async move { open(&client, "shared", options).await }
    };
    let (one, other, none) = (with("one/").await?, with("other/").await?, with("").await?);
    let key = key();
    let ape = OwnerName::new("ape")?;
    let login = one.begin(&ape, record("").expiry(), &key).await?;
    let owned = |login: Login| {
        let name = ape.clone();
        record("v").owned_by(Owner { name, login })
    };
    one.create(&key, &owned(login))
        .await?
        .saved()
        .expect("the key is new");
    assert_eq!(one.keys(&ape).await?.len(), 1);
    assert_eq!(one.page(None, 10).await?.entries.len(), 1);
    for backend in [&other, &none] {
        assert_eq!(backend.load(&key).await?, None);
        assert_eq!(backend.generation(&ape).await?, None);
        assert_eq!(backend.page(None, 10).await?.entries, []);
    }
    Ok(())
}

pub(super) async fn dynamodb_removes_an_item_long_after_it_has_expired(
    server: &DynamoDbServer,
) -> Tried {
    let client = client(&server.endpoint());
    let backend = open(&client, "removed", DynamoDbOptions::new()).await?;
    let soon = Expiry::after(std::time::Duration::from_secs(600));
    for expiry in [soon, Expiry::NEVER] {
        backend
            .create(&key(), &record("v").with_expiry(expiry))
            .await?
            .saved()
            .expect("the key is new");
    }
    let items = client.scan().table_name("removed").send().await?;
    let mut differences = Vec::new();
    for item in items.items() {
        let number = |name: &str| item.get(name).and_then(|number| number.as_n().ok());
        let expiry: i64 = number("expiry").expect("a number").parse()?;
        match number("ttl") {
            None => assert_eq!(expiry, Expiry::NEVER.as_millis()),
            Some(ttl) => differences.push(ttl.parse::<i64>()? - expiry / 1_000),
        }
    }
    // No two clocks differ by a day.
    assert_eq!(differences, [86_400]);
    Ok(())
}

pub(super) async fn items_without_an_expiry_do_not_expire(server: &DynamoDbServer) -> Tried {
    let client = client(&server.endpoint());
    for (table, items, ttl) in [
        ("lasting_dynamostore", GoItems::dynamostore(), Some("0")),
        ("lasting_dynastore", GoItems::dynastore(), None),
    ] {
        let (options, items) = (DynamoDbOptions::new(), items.without_ttl());
        let backend = open_go(&client, table, items, options).await?;
        assert!(!backend.keeps_expiries());
        assert!(!has_time_to_live(&client, table).await?);
        let key = Key::new("ABC234")?;
        let over = record("v").with_expiry(Expiry::from_millis(1_000));
        let Created::Saved(seen) = backend.create(&key, &over).await? else {
            panic!("the key is new");
        };
        let stored = backend.load(&key).await?.expect("the item does not expire");
        assert_eq!(
            (stored.record.expiry(), &stored.revision),
            (Expiry::NEVER, &seen)
        );
        let items = client.scan().table_name(table).send().await?;
        let found = items.items()[0]
            .get("ttl")
            .map(|ttl| ttl.as_n().expect("a number").as_str());
        assert_eq!(found, ttl);
        let touched = backend
            .touch(&key, &seen, Expiry::from_millis(i64::MIN))
            .await?;
        assert!(matches!(touched, Outcome::Done(_)));
    }
    for name in ["", "id", "data", "a b", "silverback_expiry"] {
        let items = GoItems::dynamostore().ttl_attribute(name);
        let options = DynamoDbOptions::new();
        let refused = GoDynamoDb::from_client(&client, "unnamed", items, options).unwrap_err();
        assert!(refused.is_usage(), "{name}");
    }
    Ok(())
}

/// Tables with custom keys, in which requests for an item or lists of owners would fail.
pub(super) async fn a_table_with_another_key_is_refused(server: &DynamoDbServer) -> Tried {
    let client = client(&server.endpoint());
    let string = ScalarAttributeType::S;
    for (table, keys, index, part) in [
        (
            "by_key",
            &[("key", string.clone())][..],
            None,
            "(key S HASH)",
        ),
        (
            "by_number",
            &[("id", ScalarAttributeType::N)],
            None,
            "(id N HASH)",
        ),
        (
            "sorted",
            &[("id", string.clone()), ("at", string.clone())],
            None,
            "(id S HASH, at S RANGE)",
        ),
        (
            "by_name",
            &[("id", string.clone())],
            Some("name"),
            "(name S HASH)",
        ),
        (
            "unprojected",
            &[("id", string.clone())],
            Some("owner"),
            "does not project",
        ),
    ] {
        make(&client, table, keys, index).await?;
        let refused = open(&client, table, DynamoDbOptions::new())
            .await
            .unwrap_err();
        assert!(refused.is_usage(), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains(part) && said.contains(table), "{said}");
        let (items, options) = (GoItems::dynamostore(), DynamoDbOptions::new());
        let go = open_go(&client, table, items, options);
        // An index that only native items need does not affect Go's items.
        assert_eq!(go.await.is_ok(), index.is_some(), "{table}");
    }
    let url = format!("dynamodb:nowhere?endpoint={}", server.endpoint());
    let options = ConnectOptions::new().create_if_missing(false);
    let missing = connect_with(&url, options).await.err().expect("no table");
    assert!(missing.is_usage(), "{missing}");
    let described = client.describe_table().table_name("nowhere").send().await;
    assert!(described.is_err(), "no table was created");
    Ok(())
}

/// Creates a table with that primary key, and an index on that attribute, which projects keys only.
async fn make(
    client: &Client,
    table: &str,
    keys: &[(&str, ScalarAttributeType)],
    index: Option<&str>,
) -> Tried {
    let key = |name: &str, role| {
        let of = KeySchemaElement::builder().attribute_name(name);
        of.key_type(role).build()
    };
    let mut request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest);
    let strings = index.iter().map(|name| (*name, ScalarAttributeType::S));
    for (name, kind) in keys.iter().cloned().chain(strings) {
        let of = AttributeDefinition::builder().attribute_name(name);
        request = request.attribute_definitions(of.attribute_type(kind).build()?);
    }
    for ((name, _), role) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        request = request.key_schema(key(name, role)?);
    }
    if let Some(name) = index {
        let projected = Projection::builder().projection_type(ProjectionType::KeysOnly);
        let index = GlobalSecondaryIndex::builder()
            .index_name(DynamoDb::OWNERS_INDEX)
            .key_schema(key(name, KeyType::Hash)?)
            .projection(projected.build());
        request = request.global_secondary_indexes(index.build()?);
    }
    request.send().await?;
    Ok(())
}
