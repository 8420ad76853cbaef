//! A client as AWS's own tools make theirs: region and credentials come from the environment,
//! from the files in the home directory, or from the machine it runs on.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedHttpClient;
use percent_encoding::percent_decode_str;

use super::super::Error;
use super::{DynamoDb, DynamoDbOptions};

/// Where DynamoDB is, as far as the URL says.
#[derive(Debug, Default)]
struct Place {
    region: Option<String>,
    endpoint: Option<String>,
}

impl DynamoDb {
    /// Records in the table that the URL names, which is made if it is missing, with the
    /// region and the credentials that AWS's own tools would use: `dynamodb:TABLE`, and then
    /// perhaps `?` and, joined by `&`
    ///
    /// - `region=NAME`;
    /// - `endpoint=URL`, of something that speaks as DynamoDB does;
    /// - `prefix=TEXT`, as in [`DynamoDbOptions::prefix`].
    ///
    /// Needs the feature `aws`, and for AWS itself `tls`.
    ///
    /// # Errors
    /// [Usage](Error::is_usage), for a URL that cannot be read, or without TLS where it is
    /// needed; [unavailable](Error::is_unavailable), if there are no credentials, or DynamoDB
    /// cannot be reached.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let backend = DynamoDb::at(url).await?;
        backend.make_table().await?;
        Ok(backend)
    }

    /// As [`connect`](DynamoDb::connect), of a table that is there. Makes nothing: for programs
    /// that look after the store of a service.
    ///
    /// # Errors
    /// As [`connect`](DynamoDb::connect); usage, if there is no such table.
    pub async fn connect_existing(url: &str) -> Result<Self, Error> {
        let backend = DynamoDb::at(url).await?;
        backend.find_table().await?;
        Ok(backend)
    }

    async fn at(url: &str) -> Result<Self, Error> {
        let (Place { region, endpoint }, options) = read(url)?;
        let client = dynamodb_client(region, endpoint, None).await?;
        DynamoDb::with_client(&client, options)
    }
}

/// What the URL says.
fn read(url: &str) -> Result<(Place, DynamoDbOptions), Error> {
    let rest = url.strip_prefix("dynamodb:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (table, said) = rest.split_once('?').unwrap_or((rest, ""));
    if table.is_empty() || table.contains('/') {
        return Err(Error::usage(
            "a table's name follows dynamodb: in a backend's URL",
        ));
    }
    let mut options = DynamoDbOptions::new(decoded(table)?);
    let mut place = Place::default();
    for option in said.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decoded(value)?;
        match name {
            "region" => place.region = Some(value),
            "endpoint" => place.endpoint = Some(value),
            "prefix" => options = options.prefix(value),
            _ => {
                return Err(Error::usage(
                    "the URL of a DynamoDB table takes region, endpoint and prefix",
                ));
            }
        }
    }
    Ok((place, options))
}

fn decoded(text: &str) -> Result<String, Error> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| Error::usage("the URL of the DynamoDB table is no text"))?;
    Ok(text.into_owned())
}

/// A client for that region and endpoint, or for those of the environment; where nobody names
/// a region, that of the last resort.
pub(crate) async fn dynamodb_client(
    region: Option<String>,
    endpoint: Option<String>,
    last_resort: Option<&'static str>,
) -> Result<Client, Error> {
    let is_plain = |endpoint: &String| endpoint.starts_with("http://");
    if !cfg!(feature = "tls") && !endpoint.as_ref().is_some_and(is_plain) {
        return Err(Error::usage(
            "DynamoDB is reached by TLS, which needs silverback's feature `tls`",
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
        Error::usage("no region is given, in the URL, in AWS_REGION or in the files of AWS's tools")
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
    fn the_region_is_what_is_found_or_else_the_last_resort() {
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
    fn a_url_says_which_table_and_where() {
        let url = "dynamodb:web%20x?region=eu-west-1&endpoint=http://127.0.0.1:8000&prefix=a%2F";
        let (place, options) = read(url).unwrap();
        assert_eq!((&*options.table, &*options.prefix), ("web x", "a/"));
        assert_eq!(place.region.as_deref(), Some("eu-west-1"));
        assert_eq!(place.endpoint.as_deref(), Some("http://127.0.0.1:8000"));
        assert_eq!(read("dynamodb://web").unwrap().1.table, "web");
        for url in [
            "dynamodb:",
            "dynamodb:a/b",
            "dynamodb:a?secret=1",
            "dynamodb:%ff",
        ] {
            let error = read(url).unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("secret"));
        }
    }
}
