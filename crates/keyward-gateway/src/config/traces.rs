//! Resolves `[traces]`: where spans are sent, and which.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use keyward::address::{self, AllowedHost};
use keyward::fetch::{NetworkSettings, NetworkTransport, Transport};
use toml::Spanned;
use url::Url;

use super::raw::RawTraces;
use super::{ConfigError, ConfigWarning, Source};

/// Where a receiver takes traces, where its address has no path (OTLP/HTTP).
const PATH: &str = "/v1/traces";

/// The most headers that go along.
const HEADER_LIMIT: usize = 16;

/// Where spans are sent, and which. Its `Debug` does not show the headers' values.
#[derive(Clone, Debug)]
pub struct TracesSettings {
    /// Where a batch is posted to.
    pub endpoint: Url,
    /// What goes along, such as a credential.
    pub headers: HeaderMap,
    /// What of new traces is recorded, from 0 to 1.
    pub sampling_ratio: f64,
    /// Whether a request belongs to the trace that it names.
    pub follow_parents: bool,
    /// What we are called there.
    pub service_name: String,
    /// How long one attempt to send may take.
    pub timeout: Duration,
    /// By what way.
    pub transport: Arc<dyn Transport>,
    anchors: Vec<u8>,
}

impl PartialEq for TracesSettings {
    /// The way follows from the rest.
    fn eq(&self, other: &Self) -> bool {
        self.endpoint == other.endpoint
            && self.headers == other.headers
            && self.sampling_ratio == other.sampling_ratio
            && self.follow_parents == other.follow_parents
            && self.service_name == other.service_name
            && self.timeout == other.timeout
            && self.anchors == other.anchors
    }
}

impl Source<'_> {
    /// Nothing is connected for it: a gateway starts while the receiver is down.
    pub(super) fn traces(&mut self, raw: Option<RawTraces>) -> Result<Option<TracesSettings>, ConfigError> {
        let Some(raw) = raw else {
            return Ok(None);
        };
        let endpoint = self.receiver(&raw.endpoint)?;
        let headers = raw.headers_file.as_ref().map(|file| self.headers(file)).transpose()?;
        if headers.is_some() && !address::is_acceptable(&endpoint) {
            self.warnings.push(ConfigWarning::TracesInTheClear { endpoint: endpoint.to_string() });
        }
        let anchors = raw.ca_file.as_ref().map(|file| self.read(file)).transpose()?.unwrap_or_default();
        let transport = NetworkTransport::with_settings(NetworkSettings {
            extra_anchors: anchors.clone(),
            // The operator named it, wherever it is.
            allowed_hosts: AllowedHost::of(&endpoint).into_iter().collect(),
            ..NetworkSettings::default()
        });
        let transport = transport.map_err(|error| {
            let span = raw.ca_file.as_ref().map_or(raw.endpoint.span(), Spanned::span);
            self.error(&span, format!("no connection can be made with this: {error}"))
        })?;
        let ratio = raw.sampling_ratio.as_ref().map_or(0.1, |ratio| *ratio.get_ref());
        if let Some(place) = raw.sampling_ratio.as_ref().filter(|_| !(0.0..=1.0).contains(&ratio)) {
            return Err(self.error(&place.span(), "a ratio is from 0.0, for none, to 1.0, for all"));
        }
        let timeout = raw.timeout.as_ref().map(|timeout| self.longer_than_zero(timeout)).transpose()?;
        Ok(Some(TracesSettings {
            endpoint,
            headers: headers.unwrap_or_default(),
            sampling_ratio: ratio,
            follow_parents: raw.follow_parents.unwrap_or(true),
            service_name: raw.service_name.unwrap_or_else(|| "keyward-gateway".to_owned()),
            timeout: timeout.unwrap_or(Duration::from_secs(5)),
            transport: Arc::new(transport),
            anchors,
        }))
    }

    fn receiver(&self, text: &Spanned<String>) -> Result<Url, ConfigError> {
        let mut url = self.url(text)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || !is_plain {
            let why = "spans are sent by http or https, such as to \"http://127.0.0.1:4318\"; a credential belongs into \
                       headers_file";
            return Err(self.error(&text.span(), why));
        }
        if url.path() == "/" {
            url.set_path(PATH);
        }
        Ok(url)
    }

    /// A header a line, `name: value`.
    fn headers(&mut self, file: &Spanned<PathBuf>) -> Result<HeaderMap, ConfigError> {
        let secret = self.secret(file)?;
        let mut headers = HeaderMap::new();
        for line in secret.octets.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii) {
            if line.is_empty() {
                continue;
            }
            let (name, value) = header(line).ok_or_else(|| {
                self.file_error(file, "each line is a header such as `authorization: Bearer …`")
            })?;
            if headers.len() == HEADER_LIMIT {
                let why = format!("at most {HEADER_LIMIT} headers go along");
                return Err(self.error(&file.span(), why));
            }
            headers.append(name, value);
        }
        Ok(headers)
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let name = HeaderName::from_bytes(line.get(..colon)?).ok()?;
    let mut value = HeaderValue::from_bytes(line.get(colon + 1..)?.trim_ascii()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
