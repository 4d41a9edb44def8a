//! An entity, for whoever may look at it.

use serde_json::Value;

use super::{Kept as _, RefreshFamily, RevokedToken, Secret, SigningKey, kind};

/// An entity without what is nobody's business: hashes of secrets and of tokens, sealed keys. What this version does not know
/// it does not show.
pub fn shown(label: &str, body: &str) -> Option<Value> {
    let known = kind(label)?;
    let mut entity: Value = serde_json::from_str(body).ok()?;
    let hidden: &[&str] = match known {
        known if known == Secret::KIND => &["hash"],
        known if known == SigningKey::KIND => &["private"],
        known if known == RefreshFamily::KIND => return None,
        known if known == RevokedToken::KIND => return None,
        _ => &[],
    };
    let members = entity.as_object_mut()?;
    for name in hidden {
        members.remove(*name);
    }
    Some(entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_shown_without_what_is_secret() {
        let secret = r#"{"client":"a","name":"b","hash":"$argon2id$x","enabled":true,"added_at":1}"#;
        assert!(!shown("secret", secret).unwrap().to_string().contains("argon2"));
        let key = r#"{"kid":"a","private":{"store":"local","sealed":"xyz"}}"#;
        assert_eq!(shown("signing_key", key).unwrap().to_string(), r#"{"kid":"a"}"#);
        assert_eq!(shown("refresh_family", r#"{"current":"hash"}"#), None);
        assert_eq!(shown("of a later version", "{}"), None);
    }
}
