//! Where modules are kept, if not in the data directory.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use wasmcloud_blob::{S3Config, S3Key, S3Location};

use super::super::failed;
use super::File;
use crate::failure::Failure;

/// The variables that a key may be in, where it is in no file. They are no flags: everybody on a machine sees flags.
const KEY_ID: &str = "WASMCLOUD_STORAGE_KEY_ID";
const KEY_SECRET: &str = "WASMCLOUD_STORAGE_KEY_SECRET";
const KEY_HINT: &str = "write the key's id and its secret, one a line, into a file that only this user can read, and name it: \
    --storage-key-file FILE; or set WASMCLOUD_STORAGE_KEY_ID and WASMCLOUD_STORAGE_KEY_SECRET";

/// Where modules are kept.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Storage options")]
pub struct StorageOptions {
    /// Keep modules in a bucket: s3://BUCKET/PREFIX [default: modules in the data directory]
    #[arg(long = "storage", env = "WASMCLOUD_STORAGE", value_name = "URL")]
    #[serde(rename = "url")]
    pub storage_url: Option<String>,
    /// The store's URL, such as https://s3.us-west-004.backblazeb2.com [default: Amazon's for the region]
    #[arg(long = "storage-endpoint", env = "WASMCLOUD_STORAGE_ENDPOINT", value_name = "URL")]
    #[serde(rename = "endpoint")]
    pub storage_endpoint: Option<String>,
    /// The bucket's region [default: that of the endpoint's name, or us-east-1]
    #[arg(long = "storage-region", env = "WASMCLOUD_STORAGE_REGION", value_name = "NAME")]
    #[serde(rename = "region")]
    pub storage_region: Option<String>,
    /// Whether the bucket stands in the URL's path and not in its host [default: with an endpoint]
    #[arg(
        long = "storage-path-style",
        env = "WASMCLOUD_STORAGE_PATH_STYLE",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    #[serde(rename = "path_style")]
    pub storage_path_style: Option<bool>,
    /// A file with the key's id and its secret, one a line
    #[arg(long = "storage-key-file", env = "WASMCLOUD_STORAGE_KEY_FILE", value_name = "FILE")]
    #[serde(rename = "key_file")]
    pub storage_key_file: Option<PathBuf>,
    /// The certificates (PEM) that the endpoint is trusted by [default: the system's]
    #[arg(long = "storage-ca", env = "WASMCLOUD_STORAGE_CA", value_name = "FILE")]
    #[serde(rename = "ca_file")]
    pub storage_ca: Option<PathBuf>,
}

impl StorageOptions {
    /// Completes these settings by the file's.
    pub fn complete(self, file: &File) -> StorageOptions {
        let file = file.storage.clone();
        StorageOptions {
            storage_url: self.storage_url.or(file.storage_url),
            storage_endpoint: self.storage_endpoint.or(file.storage_endpoint),
            storage_region: self.storage_region.or(file.storage_region),
            storage_path_style: self.storage_path_style.or(file.storage_path_style),
            storage_key_file: self.storage_key_file.or(file.storage_key_file),
            storage_ca: self.storage_ca.or(file.storage_ca),
        }
    }

    /// The bucket, if modules are kept in one.
    pub fn bucket(&self) -> Result<Option<S3Config>, Failure> {
        self.bucket_with(|name| std::env::var(name).ok())
    }

    fn bucket_with(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Option<S3Config>, Failure> {
        let Some(url) = &self.storage_url else {
            if self.storage_endpoint.is_some() || self.storage_key_file.is_some() {
                return Err(Failure::usage(
                    "there are settings for a bucket, but no bucket",
                    "name it: --storage s3://BUCKET/PREFIX",
                ));
            }
            return Ok(None);
        };
        let location: S3Location = url.parse().map_err(|error| {
            Failure::usage(format!("--storage: {error}"), "for instance --storage s3://modules")
        })?;
        if let Some(endpoint) = &self.storage_endpoint {
            check_endpoint(endpoint)?;
        }
        let ca_pem = self.storage_ca.as_deref().map(|path| read("--storage-ca", path)).transpose()?;
        Ok(Some(S3Config {
            endpoint: self.storage_endpoint.clone(),
            region: self.storage_region.clone(),
            path_style: self.storage_path_style,
            ca_pem: ca_pem.map(String::into_bytes),
            ..S3Config::new(location, self.key(variable)?)
        }))
    }

    fn key(&self, variable: impl Fn(&str) -> Option<String>) -> Result<S3Key, Failure> {
        if let Some(path) = &self.storage_key_file {
            let text = read("--storage-key-file", path)?;
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let [id, secret] = lines.as_slice() else {
                let message = format!(
                    "--storage-key-file {}: it has {} lines, where a key has two",
                    path.display(),
                    lines.len()
                );
                return Err(failed("storage_key", message, KEY_HINT));
            };
            return Ok(S3Key { id: (*id).to_owned(), secret: (*secret).to_owned() });
        }
        match (variable(KEY_ID), variable(KEY_SECRET)) {
            (Some(id), Some(secret)) => Ok(S3Key { id, secret }),
            _ => Err(Failure::usage("there is no key for the bucket", KEY_HINT)),
        }
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), Failure> {
    let hint = "write it with its scheme: --storage-endpoint https://s3.us-west-004.backblazeb2.com";
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match host {
        Some(host) if host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[') => Ok(()),
        _ => Err(Failure::usage(format!("`{endpoint}` is no URL of a store"), hint)),
    }
}

fn read(flag: &str, path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| {
        failed(
            "storage",
            format!("{flag} {}: cannot read it: {error}", path.display()),
            "name a file that is there",
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        storage: StorageOptions,
    }

    fn options(file: &str, flags: &[&str]) -> StorageOptions {
        let file: File = toml::from_str(file).unwrap();
        let line = Line::try_parse_from(["wasmcloud"].iter().chain(flags)).unwrap();
        line.storage.complete(&file)
    }

    fn key(name: &str) -> Option<String> {
        Some(if name == KEY_ID { "the-id" } else { "the-secret" }.to_owned())
    }

    #[test]
    fn modules_stay_in_the_data_directory_unless_a_bucket_is_named() {
        assert!(options("", &[]).bucket_with(key).unwrap().is_none());
        let error =
            options("[storage]\nendpoint = \"https://s3.example.com\"", &[]).bucket_with(key).unwrap_err();
        assert!(format!("{error:?}").contains("--storage s3://BUCKET"), "{error:?}");
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let file = "[storage]\nurl = \"s3://of-the-file/a\"\nregion = \"of-the-file\"\npath_style = false";
        let config = options(file, &["--storage", "s3://of-the-flag", "--storage-path-style"]);
        let config = config.bucket_with(key).unwrap().unwrap();
        assert_eq!(config.location.to_string(), "s3://of-the-flag/");
        assert_eq!((config.region.as_deref(), config.path_style), (Some("of-the-file"), Some(true)));
        assert_eq!((config.key.id.as_str(), config.key.secret.as_str()), ("the-id", "the-secret"));
        assert!(toml::from_str::<File>("[storage]\nsecret = \"x\"").is_err());
    }

    #[test]
    fn a_key_is_read_from_a_file_of_two_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let flags = ["--storage", "s3://modules", "--storage-key-file", path.to_str().unwrap()];
        std::fs::write(&path, "id-of-file\n  secret-of-file \n\n").unwrap();
        let config = options("", &flags).bucket_with(key).unwrap().unwrap();
        assert_eq!((config.key.id.as_str(), config.key.secret.as_str()), ("id-of-file", "secret-of-file"));

        std::fs::write(&path, "only-one-line").unwrap();
        let error = format!("{:?}", options("", &flags).bucket_with(key).unwrap_err());
        assert!(error.contains("it has 1 lines") && !error.contains("only-one-line"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_do() {
        let at = |flags: &[&str]| format!("{:?}", options("", flags).bucket_with(|_| None).unwrap_err());
        assert!(at(&["--storage", "modules"]).contains("s3://BUCKET"));
        assert!(at(&["--storage", "s3://modules"]).contains("--storage-key-file"));
        let endpoint = at(&["--storage", "s3://modules", "--storage-endpoint", "s3.example.com"]);
        assert!(endpoint.contains("`s3.example.com`") && endpoint.contains("https://"), "{endpoint}");
    }
}
