//! A client configured as AWS's own tools are: region and credentials come from the environment,
//! from the files in the home directory, or from the machine that the program runs on.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedHttpClient;
use percent_encoding::percent_decode_str;

use super::super::Error;
use super::{DynamoDb, DynamoDbOptions, GoDynamoDb, GoItems};

/// The parts of a URL.
#[derive(Debug, Default)]
struct Address {
    table: String,
    region: Option<String>,
    endpoint: Option<String>,
    prefix: Option<String>,
}

impl DynamoDb {
    /// Connects to the table that the URL names, and creates it if it is missing. Region and
    /// credentials are those that AWS's own tools would use. The URL is `dynamodb:TABLE`. It may
    /// continue with `?` and these parts, joined by `&`:
    ///
    /// - `region=NAME`;
    /// - `endpoint=URL`, of a server that speaks DynamoDB's protocol;
    /// - `prefix=TEXT`, as in [`DynamoDbOptions::prefix`].
    ///
    /// Needs the feature `aws`, and for AWS itself also `tls`.
    ///
    /// # Errors
    /// Returns a [usage](Error::is_usage) error if the URL cannot be read, no region is known, or
    /// TLS is needed and this build lacks it. Returns an [unavailable](Error::is_unavailable) error
    /// if there are no credentials, or DynamoDB cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        DynamoDb::connect_with(url, DynamoDbOptions::new()).await
    }

    /// Connects as [`connect`](DynamoDb::connect) does, with options. The prefix of the URL, if it
    /// has one, is used instead of that of the options.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), silverback::backend::Error> {
    /// use std::time::Duration;
    /// use silverback::backend::{DynamoDb, DynamoDbOptions};
    ///
    /// let options = DynamoDbOptions::new().timeout(Duration::from_secs(2));
    /// let backend = DynamoDb::connect_with("dynamodb:sessions?region=eu-west-1", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`connect`](DynamoDb::connect), and a [usage](Error::is_usage) error if
    /// the prefix is too long, or the table is missing and must not be
    /// [created](DynamoDbOptions::create_if_missing).
    pub async fn connect_with(url: &str, options: DynamoDbOptions) -> Result<Self, Error> {
        let address = Address::read(url)?;
        let client = dynamodb_client(address.region, address.endpoint, None).await?;
        let creates = options.create_if_missing;
        let options = match address.prefix {
            Some(prefix) => options.prefix(prefix),
            None => options,
        };
        let backend = DynamoDb::from_client(&client, address.table, options)?;
        match creates {
            true => backend.migrate().await?,
            false => backend.find().await?,
        }
        Ok(backend)
    }
}

impl GoDynamoDb {
    /// Connects to the table that the URL names, and keeps records in it as those items. The URL is
    /// that of [`DynamoDb::connect`], without a prefix. Creates the table as the Go package would if
    /// it is missing.
    ///
    /// ```no_run
    /// # async fn open() -> Result<(), silverback::backend::Error> {
    /// use silverback::backend::{DynamoDbOptions, GoDynamoDb, GoItems};
    ///
    /// let url = "dynamodb:session-backend?region=eu-west-1";
    /// let options = DynamoDbOptions::new();
    /// let backend = GoDynamoDb::connect_with(url, GoItems::dynamostore(), options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Needs the feature `aws`, and for AWS itself also `tls`.
    ///
    /// # Errors
    /// Returns the errors of [`DynamoDb::connect_with`] and of
    /// [`from_client`](GoDynamoDb::from_client).
    pub async fn connect_with(
        url: &str,
        items: GoItems,
        options: DynamoDbOptions,
    ) -> Result<Self, Error> {
        let address = Address::read(url)?;
        let client = dynamodb_client(address.region, address.endpoint, None).await?;
        let creates = options.create_if_missing;
        let options = match address.prefix {
            Some(prefix) => options.prefix(prefix),
            None => options,
        };
        let backend = GoDynamoDb::from_client(&client, address.table, items, options)?;
        match creates {
            true => backend.migrate().await?,
            false => backend.find().await?,
        }
        Ok(backend)
    }
}

impl Address {
    fn read(url: &str) -> Result<Self, Error> {
        let rest = url.strip_prefix("dynamodb:").unwrap_or(url);
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let (table, query) = rest.split_once('?').unwrap_or((rest, ""));
        if table.is_empty() || table.contains('/') {
            return Err(Error::usage(
                "the backend's URL has no valid table name: write dynamodb:TABLE",
            ));
        }
        let mut address = Address {
            table: decoded(table)?,
            ..Address::default()
        };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = Some(decoded(value)?);
            match name {
                "region" => address.region = value,
                "endpoint" => address.endpoint = value,
                "prefix" => address.prefix = value,
                _ => {
                    return Err(Error::usage(
                        "the URL of the DynamoDB table has an unknown option: use region, endpoint or prefix",
                    ));
                }
            }
        }
        Ok(address)
    }
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| Error::usage("the URL of the DynamoDB table is not UTF-8"))?;
    Ok(text.into_owned())
}

/// Creates a client for this region and endpoint, or for those of the environment. If neither names
/// a region, `last_resort` is used.
pub(crate) async fn dynamodb_client(
    region: Option<String>,
    endpoint: Option<String>,
    last_resort: Option<&'static str>,
) -> Result<Client, Error> {
    let is_plain = |endpoint: &String| endpoint.starts_with("http://");
    if !cfg!(feature = "tls") && !endpoint.as_ref().is_some_and(is_plain) {
        return Err(Error::usage(
            "DynamoDB needs TLS: enable silverback's feature `tls`, or use an endpoint with http://",
        ));
    }
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http());
    let config = match region {
        Some(region) => config.region(Region::new(region)),
        None => config,
    };
    let config = match endpoint {
        Some(endpoint) => config.endpoint_url(endpoint),
        None => config,
    };
    let found = config.load().await;
    let region = region_of(found.region().cloned(), last_resort)?;
    let config = aws_sdk_dynamodb::config::Builder::from(&found);
    Ok(Client::from_conf(config.region(region).build()))
}

fn region_of(found: Option<Region>, last_resort: Option<&'static str>) -> Result<Region, Error> {
    let last_resort = last_resort.map(Region::from_static);
    found.or(last_resort).ok_or_else(|| {
        Error::usage("the AWS region is not set: set it in the URL (region=NAME), in AWS_REGION, or in the files \
             of AWS's tools")
    })
}

#[cfg(feature = "tls")]
fn http() -> SharedHttpClient {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

    let tls = Provider::Rustls(CryptoMode::Ring);
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls)
        .build_https()
}

#[cfg(not(feature = "tls"))]
fn http() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_resort_is_used_only_without_a_region() {
        let found = Region::from_static("eu-west-1");
        assert_eq!(
            region_of(Some(found.clone()), Some("us-east-1")).unwrap(),
            found
        );
        assert_eq!(
            region_of(None, Some("us-east-1")).unwrap().as_ref(),
            "us-east-1"
        );
        assert!(region_of(None, None).unwrap_err().is_usage());
    }

    #[test]
    fn a_url_names_the_table_and_its_location() {
        let url = "dynamodb:web%20x?region=eu-west-1&endpoint=http://127.0.0.1:8000&prefix=a%2F";
        let address = Address::read(url).unwrap();
        assert_eq!(address.table, "web x");
        assert_eq!(address.prefix.as_deref(), Some("a/"));
        assert_eq!(address.region.as_deref(), Some("eu-west-1"));
        assert_eq!(address.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!(Address::read("dynamodb://web").unwrap().table, "web");
        for url in [
            "dynamodb:",
            "dynamodb:a/b",
            "dynamodb:a?secret=1",
            "dynamodb:%ff",
        ] {
            let error = Address::read(url).unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("secret"));
        }
    }
}
