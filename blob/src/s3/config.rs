//! What an operator says about a bucket.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Where modules go: `s3://bucket/prefix`, the prefix optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket's name.
    pub bucket: String,
    /// What all keys begin with: empty, or with a slash at its end.
    pub prefix: String,
}

/// A location that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place in S3: write s3://BUCKET or s3://BUCKET/PREFIX, with letters, digits, `.`, `-` and `_`"
)]
pub struct S3LocationError(String);

impl FromStr for S3Location {
    type Err = S3LocationError;

    fn from_str(text: &str) -> Result<S3Location, S3LocationError> {
        let wrong = || S3LocationError(text.to_owned());
        let place = text.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_end_matches('/');
        let is_plain = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(plain)
        };
        if !is_plain(bucket) || !(prefix.is_empty() || prefix.split('/').all(is_plain)) {
            return Err(wrong());
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(S3Location { bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The key of an application at the store. Its secret is never shown.
#[derive(Clone)]
pub struct S3Key {
    /// The access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl fmt::Debug for S3Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Key").field("id", &self.id).field("secret", &"[redacted]").finish()
    }
}

/// How long the store is waited for, and how often it is asked again.
#[derive(Clone, Copy, Debug)]
pub struct S3Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the head of an answer, from the moment when the request (a part of 8 MiB at most, above 16 MiB) begins.
    pub answer: Duration,
    /// For a whole verb, whatever it takes: a put, a get, one page of a list.
    pub verb: Duration,
    /// How often a request is made, the first time included.
    pub attempts_max: u32,
    /// The most before the second attempt; each later one has twice as much, and every wait is a random part of it.
    pub backoff: Duration,
    /// The most between two attempts.
    pub backoff_max: Duration,
}

impl Default for S3Patience {
    fn default() -> S3Patience {
        S3Patience {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(15),
            verb: Duration::from_secs(40),
            attempts_max: 4,
            backoff: Duration::from_millis(200),
            backoff_max: Duration::from_secs(2),
        }
    }
}

/// Everything about a bucket.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// Bucket and prefix.
    pub location: S3Location,
    /// The store's URL; Amazon's own for the region if absent.
    pub endpoint: Option<String>,
    /// The region; if absent that of the endpoint's name where it has one (`s3.us-west-004.backblazeb2.com`), or
    /// `us-east-1`, which most stores take.
    pub region: Option<String>,
    /// Whether the bucket stands in the path and not in the host's name; if absent, where there is an endpoint.
    pub path_style: Option<bool>,
    /// The key that requests are signed with.
    pub key: S3Key,
    /// The certificates (PEM) that the endpoint is trusted by; the system's if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// How long it is waited for.
    pub patience: S3Patience,
}

impl S3Config {
    /// The usual settings for a place and a key.
    pub fn new(location: S3Location, key: S3Key) -> S3Config {
        S3Config {
            location,
            endpoint: None,
            region: None,
            path_style: None,
            key,
            ca_pem: None,
            patience: S3Patience::default(),
        }
    }

    pub(super) fn region(&self) -> &str {
        let of_host = || {
            let endpoint = self.endpoint.as_deref()?;
            let host =
                endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest).split(['/', ':']).next()?;
            let mut labels = host.strip_prefix("s3.")?.split('.');
            // Of `s3.region.company.com`, and not of `s3.company.com`.
            labels.next().filter(|_| labels.count() >= 2)
        };
        self.region.as_deref().or_else(of_host).unwrap_or("us-east-1")
    }

    pub(super) fn path_style(&self) -> bool {
        self.path_style.unwrap_or(self.endpoint.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_bucket_and_perhaps_a_prefix() {
        for (text, bucket, prefix) in [
            ("s3://modules", "modules", ""),
            ("s3://modules/", "modules", ""),
            ("s3://my.modules-1/wasm/cloud", "my.modules-1", "wasm/cloud/"),
            ("s3://modules/a/", "modules", "a/"),
        ] {
            let location: S3Location = text.parse().unwrap();
            assert_eq!((location.bucket.as_str(), location.prefix.as_str()), (bucket, prefix), "{text}");
        }
        for text in [
            "modules",
            "s3://",
            "s3:///a",
            "https://modules",
            "s3://a/../b",
            "s3://a//b",
            "s3://a b",
            "s3://a/ä",
        ] {
            let error = text.parse::<S3Location>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("s3://BUCKET"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let key = S3Key { id: "the-id".to_owned(), secret: "the-secret".to_owned() };
        let config = S3Config::new("s3://modules".parse().unwrap(), key);
        let text = format!("{config:?}");
        assert!(text.contains("the-id") && !text.contains("the-secret"), "{text}");
    }

    #[test]
    fn the_region_is_the_one_that_is_said_or_the_endpoints_or_the_usual_one() {
        let key = S3Key { id: String::new(), secret: String::new() };
        let mut config = S3Config::new("s3://modules".parse().unwrap(), key);
        assert_eq!((config.region(), config.path_style()), ("us-east-1", false));
        for (endpoint, region) in [
            ("https://s3.us-west-004.backblazeb2.com", "us-west-004"),
            ("https://s3.eu-central-1.amazonaws.com:443/", "eu-central-1"),
            ("https://s3.example.com", "us-east-1"),
            ("http://localhost:9000", "us-east-1"),
        ] {
            config.endpoint = Some(endpoint.to_owned());
            assert_eq!((config.region(), config.path_style()), (region, true), "{endpoint}");
        }
        (config.region, config.path_style) = (Some("garage".to_owned()), Some(false));
        assert_eq!((config.region(), config.path_style()), ("garage", false));
    }
}
