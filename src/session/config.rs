//! The options of sessions as they are written in a configuration file (feature `config`).

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::duration_text::{self, DurationText};

#[cfg(feature = "dbsc")]
use super::binding::BindingOptions;
use super::{CookieOptions, Error, Lifetime, SameSite, ServerOptions};

impl<'de> Deserialize<'de> for CookieOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = CookieConfig::deserialize(deserializer)?;
        config.options().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = LifetimeConfig::deserialize(deserializer)?;
        config.lifetime().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ServerOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(ServerConfig::deserialize(deserializer)?.options())
    }
}

/// The keys of a [`CookieOptions`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CookieConfig {
    name: Option<String>,
    path: Option<String>,
    domain: Option<String>,
    same_site: Option<SameSite>,
    persistent: Option<bool>,
    #[serde(default)]
    readable_by_scripts: bool,
    #[serde(default)]
    partitioned: bool,
    #[serde(default)]
    insecure_http: bool,
    #[serde(default)]
    remove_not_valid: bool,
}

impl CookieConfig {
    fn options(self) -> Result<CookieOptions, Error> {
        let config = self;
        let mut options = CookieOptions::new();
        if let Some(name) = config.name {
            options = options.name(name)?;
        }
        if let Some(path) = config.path {
            options = options.path(path)?;
        }
        if let Some(domain) = config.domain {
            options = options.domain(domain)?;
        }
        if let Some(same_site) = config.same_site {
            options = options.same_site(same_site);
        }
        if let Some(persistent) = config.persistent {
            options = options.persistent(persistent);
        }
        type Set = fn(CookieOptions) -> CookieOptions;
        let flags: [(bool, Set); 4] = [
            (
                config.readable_by_scripts,
                CookieOptions::readable_by_scripts,
            ),
            (config.partitioned, CookieOptions::partitioned),
            (config.insecure_http, CookieOptions::insecure_http),
            (config.remove_not_valid, CookieOptions::remove_not_valid),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
        Ok(flags.fold(options, |options, (_, set)| set(options)))
    }
}

/// A limit that can be removed: `None` is written `"never"`.
struct Limit(Option<Duration>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Limit(duration_text::read_or_never(deserializer)?))
    }
}

/// The keys of a [`Lifetime`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LifetimeConfig {
    idle: Option<Limit>,
    absolute: Option<Limit>,
    remember: Option<bool>,
    remembered_idle: Option<DurationText>,
    remembered_absolute: Option<DurationText>,
}

impl LifetimeConfig {
    fn lifetime(self) -> Result<Lifetime, Error> {
        let config = self;
        let mut lifetime = Lifetime::new();
        lifetime = match config.idle {
            Some(Limit(Some(idle))) => lifetime.idle(idle),
            Some(Limit(None)) => lifetime.without_idle(),
            None => lifetime,
        };
        lifetime = match config.absolute {
            Some(Limit(Some(absolute))) => lifetime.absolute(absolute),
            Some(Limit(None)) => lifetime.without_absolute(),
            None => lifetime,
        };
        let remembered = (config.remembered_idle, config.remembered_absolute);
        match (config.remember, remembered) {
            (Some(false), (None, None)) => Ok(lifetime.without_remembering()),
            (None | Some(true), (None, None)) => Ok(lifetime),
            (None | Some(true), (Some(idle), Some(absolute))) => {
                Ok(lifetime.remembered(idle.0, absolute.0))
            }
            (Some(false), _) => Err(Error::usage(
                "remember is false, and a limit of remembered sessions is set: remove one of them",
            )),
            _ => Err(Error::usage(
                "remembered_idle and remembered_absolute belong together: set both",
            )),
        }
    }
}

/// The keys of a [`ServerOptions`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerConfig {
    cookie: Option<CookieOptions>,
    lifetime: Option<Lifetime>,
    max_sessions: Option<usize>,
    longest_request: Option<DurationText>,
    renewal_grace: Option<DurationText>,
    #[serde(default)]
    fail_when_gone: bool,
    save_timeout: Option<DurationText>,
    max_concurrent_saves: Option<usize>,
    watch_interval: Option<DurationText>,
    #[cfg(feature = "dbsc")]
    binding: Option<BindingOptions>,
}

impl ServerConfig {
    fn options(self) -> ServerOptions {
        let config = self;
        let options = ServerOptions::new();
        let options = with(options, config.cookie, ServerOptions::cookie);
        let options = with(options, config.lifetime, ServerOptions::lifetime);
        let options = with(options, config.max_sessions, ServerOptions::max_sessions);
        let options = with(options, config.longest_request, |options, time| {
            options.longest_request(time.0)
        });
        let options = with(options, config.renewal_grace, |options, time| {
            options.renewal_grace(time.0)
        });
        let options = with(options, config.save_timeout, |options, time| {
            options.save_timeout(time.0)
        });
        let limit = config.max_concurrent_saves;
        let options = with(options, limit, ServerOptions::max_concurrent_saves);
        let options = with(options, config.watch_interval, |options, interval| {
            options.watch_interval(interval.0)
        });
        #[cfg(feature = "dbsc")]
        let options = with(options, config.binding, ServerOptions::binding);
        match config.fail_when_gone {
            true => options.fail_when_gone(),
            false => options,
        }
    }
}

#[cfg(feature = "dbsc")]
impl<'de> Deserialize<'de> for BindingOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = BindingConfig::deserialize(deserializer)?;
        config.options().map_err(D::Error::custom)
    }
}

/// The keys of a [`BindingOptions`].
#[cfg(feature = "dbsc")]
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingConfig {
    path: String,
    required: Option<Vec<String>>,
    cookie_life: Option<DurationText>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[cfg(feature = "dbsc")]
impl BindingConfig {
    fn options(self) -> Result<BindingOptions, Error> {
        let config = self;
        let options = BindingOptions::new(config.path)?;
        let options = with(options, config.required, BindingOptions::required);
        let options = with(options, config.cookie_life, |options, life| {
            options.cookie_life(life.0)
        });
        let mut paths = config.exclude.into_iter();
        paths.try_fold(options, BindingOptions::exclude)
    }
}

/// Returns `options` with a value that may be missing.
fn with<O, V>(options: O, value: Option<V>, set: impl FnOnce(O, V) -> O) -> O {
    match value {
        Some(value) => set(options, value),
        None => options,
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;

    fn read<T: DeserializeOwned>(json: &str) -> Result<T, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_configuration_is_the_default() {
        assert_eq!(read("{}"), Ok(CookieOptions::new()));
        assert_eq!(read("{}"), Ok(Lifetime::new()));
        let options: ServerOptions = read("{}").unwrap();
        assert_eq!(
            format!("{options:?}"),
            format!("{:?}", ServerOptions::new())
        );
    }

    #[cfg(feature = "dbsc")]
    #[test]
    fn every_key_of_a_binding_sets_its_option() {
        let all = r#"{"path": "/s", "required": ["/login"], "cookie_life": "5m", "exclude": ["/static"]}"#;
        let expected = BindingOptions::new("/s")
            .unwrap()
            .required(["/login"])
            .cookie_life(Duration::from_secs(300))
            .exclude("/static")
            .unwrap();
        assert_eq!(read(all), Ok(expected));
        assert_eq!(
            read(r#"{"path": "/s"}"#),
            Ok(BindingOptions::new("/s").unwrap())
        );
        let server: ServerOptions = read(&format!(r#"{{"binding": {all}}}"#)).unwrap();
        assert!(server.binding.is_some());
        for wrong in ["{}", r#"{"path": "s"}"#, r#"{"path": "/s", "life": "5m"}"#] {
            assert!(read::<BindingOptions>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_key_sets_its_option() {
        let all = r#"{"name": "shop", "path": "/shop", "domain": "example.com",
            "same_site": "strict", "persistent": true, "readable_by_scripts": true,
            "partitioned": true, "insecure_http": true, "remove_not_valid": true}"#;
        let expected = CookieOptions::new();
        let expected = expected.name("shop").unwrap().path("/shop").unwrap();
        let expected = expected.domain("example.com").unwrap();
        let expected = expected.same_site(SameSite::Strict).persistent(true);
        let expected = expected.readable_by_scripts().partitioned();
        let expected = expected.insecure_http().remove_not_valid();
        assert_eq!(read(all), Ok(expected));

        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let all = r#"{"idle": "10m", "absolute": "never", "remembered_idle": "1h",
            "remembered_absolute": "2 hours"}"#;
        let expected = Lifetime::new().idle(minutes(10)).without_absolute();
        let expected = expected.remembered(minutes(60), minutes(120));
        assert_eq!(read(all), Ok(expected.clone()));
        let other = Lifetime::new().without_idle().absolute(minutes(1));
        let none = other.without_remembering();
        assert_eq!(
            read(r#"{"idle": "never", "absolute": "60s", "remember": false}"#),
            Ok(none)
        );

        let all = r#"{"cookie": {"name": "shop"}, "lifetime": {"idle": "10m"}, "max_sessions": 5,
            "longest_request": "5m", "renewal_grace": "20s", "fail_when_gone": true,
            "save_timeout": "2s", "max_concurrent_saves": 7,
            "watch_interval": "1s"}"#;
        let expected = ServerOptions::new()
            .cookie(CookieOptions::new().name("shop").unwrap())
            .lifetime(Lifetime::new().idle(minutes(10)))
            .max_sessions(5)
            .longest_request(minutes(5))
            .renewal_grace(Duration::from_secs(20))
            .fail_when_gone()
            .save_timeout(Duration::from_secs(2))
            .max_concurrent_saves(7)
            .watch_interval(Duration::from_secs(1));
        let options: ServerOptions = read(all).unwrap();
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    }

    #[test]
    fn wrong_keys_and_values_are_refused_by_name() {
        for (json, names) in [
            (r#"{"nmae": "shop"}"#, "nmae"),
            (r#"{"name": "two words"}"#, "name"),
            (r#"{"same_site": "loose"}"#, "loose"),
        ] {
            let error = read::<CookieOptions>(json).unwrap_err();
            assert!(error.contains(names), "{json}: {error}");
        }
        for (json, names) in [
            (r#"{"idel": "10m"}"#, "idel"),
            (r#"{"remembered_idle": "1h"}"#, "set both"),
            (
                r#"{"remembered_idle": 60, "remembered_absolute": "1h"}"#,
                "with its unit",
            ),
            (
                r#"{"remembered_idle": "60", "remembered_absolute": "1h"}"#,
                "with its unit",
            ),
            (
                r#"{"remember": false, "remembered_idle": "1h"}"#,
                "remove one",
            ),
        ] {
            let error = read::<Lifetime>(json).unwrap_err();
            assert!(error.contains(names), "{json}: {error}");
        }
        for (json, names) in [
            (r#"{"idle": 10}"#, "with its unit"),
            (r#"{"idle": "10"}"#, "with its unit"),
            (r#"{"idle": "30M"}"#, "months"),
            (r#"{"absolute": "1 year"}"#, "months"),
            (r#"{"idle": "Never"}"#, "never"),
        ] {
            let error = read::<Lifetime>(json).unwrap_err();
            assert!(error.contains(names), "{json}: {error}");
        }
        let error = read::<ServerOptions>(r#"{"lifetime": {"idel": "1h"}}"#).unwrap_err();
        assert!(error.contains("idel"), "{error}");
    }
}
