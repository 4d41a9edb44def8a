//! Where an issuer publishes its keys (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).

use http::StatusCode;
use serde::Deserialize;
use url::Url;

use crate::fetch::{FetchError, Fetcher};

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

/// The issuer's `jwks_uri`: from OpenID Connect's document, or where there is none from OAuth's.
pub(crate) async fn jwks_uri(fetcher: &Fetcher, issuer: &str) -> Result<Url, FetchError> {
    let [openid, oauth] = addresses(issuer);
    match read(fetcher, issuer, &openid).await {
        Err(FetchError::Status { status: StatusCode::NOT_FOUND, .. }) => read(fetcher, issuer, &oauth).await,
        found => found,
    }
}

async fn read(fetcher: &Fetcher, issuer: &str, address: &str) -> Result<Url, FetchError> {
    let Ok(url) = Url::parse(address) else {
        // `IssuerSettings` has refused an issuer that is no URL before it came here.
        return Err(FetchError::File {
            path: address.to_owned(),
            cause: std::io::ErrorKind::InvalidInput.into(),
        });
    };
    let document = fetcher.get(&url).await?;
    let Ok(metadata) = serde_json::from_slice::<Metadata>(&document.body) else {
        return Err(FetchError::DiscoveryMalformed { url });
    };
    if metadata.issuer != issuer {
        return Err(FetchError::IssuerMismatch {
            url,
            expected: issuer.to_owned(),
            found: metadata.issuer.chars().take(200).collect(),
        });
    }
    // A remote issuer has nothing to point to on this machine.
    if url.scheme() == "https" && metadata.jwks_uri.scheme() != "https" {
        return Err(FetchError::InsecureAddress { url: metadata.jwks_uri });
    }
    Ok(metadata.jwks_uri)
}

/// OpenID Connect appends the well-known path to the issuer (Discovery §4.1); OAuth puts it between host
/// and path (RFC 8414 §3.1).
fn addresses(issuer: &str) -> [String; 2] {
    let openid = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let authority = issuer.find("://").map_or(0, |colon| colon + 3);
    let path = issuer
        .get(authority..)
        .and_then(|rest| rest.find('/'))
        .map_or(issuer.len(), |slash| authority + slash);
    let (origin, path) = issuer.split_at(path);
    let oauth = format!("{origin}/.well-known/oauth-authorization-server{}", path.trim_end_matches('/'));
    [openid, oauth]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_documents_are_where_their_specifications_put_them() {
        assert_eq!(
            addresses("https://idp.example/realms/a"),
            [
                "https://idp.example/realms/a/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server/realms/a",
            ]
        );
        assert_eq!(
            addresses("https://idp.example/"),
            [
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ]
        );
        assert_eq!(
            addresses("https://idp.example"),
            [
                "https://idp.example/.well-known/openid-configuration",
                "https://idp.example/.well-known/oauth-authorization-server",
            ]
        );
    }
}
