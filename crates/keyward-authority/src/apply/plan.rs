//! What would have to be done.

use std::collections::BTreeMap;
use std::fmt;

use super::{Item, RealmFile};

/// One thing that is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// It is there, and is to be otherwise.
    Change {
        /// As it is.
        from: Box<Item>,
        /// As it is to be.
        to: Box<Item>,
    },
    /// It is to be there.
    Create(Item),
    /// It is not to be there any more, nor what belongs to it.
    Delete(Item),
}

/// What has to be done for a realm to become as a file says, in this order. Empty where it is so.
pub fn plan(current: Option<&RealmFile>, wanted: &RealmFile) -> Vec<Step> {
    let by_name = |file: &RealmFile| -> BTreeMap<(u8, String), Item> {
        file.items().map(|item| ((item.rank(), item.name()), item)).collect()
    };
    let (is, is_to_be) = (current.map(by_name).unwrap_or_default(), by_name(wanted));
    let gone = is.iter().rev().filter(|(name, _)| !is_to_be.contains_key(*name));
    let mut steps: Vec<_> = gone.map(|(_, item)| Step::Delete(item.clone())).collect();
    let mut replaced = Vec::new();
    let mut made = Vec::new();
    for (name, to) in is_to_be {
        match is.get(&name) {
            None => made.push(Step::Create(to)),
            Some(from) if *from == to => {}
            // A key under the same name is another key.
            Some(from) if is_another_key(from, &to) => {
                replaced.push(Step::Delete(from.clone()));
                made.push(Step::Create(to));
            }
            Some(from) => made.push(Step::Change { from: Box::new(from.clone()), to: Box::new(to) }),
        }
    }
    // Before their owners would be.
    replaced.append(&mut steps);
    replaced.append(&mut made);
    replaced
}

fn is_another_key(from: &Item, to: &Item) -> bool {
    matches!((from, to), (Item::Key(from), Item::Key(to)) if from.jwk != to.jwk)
}

/// A line a step, as people read it: `+ client web`, `~ client web: enabled, scopes`, `- key client/web/k1`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change { from, to } => write!(f, "~ {to}: {}", from.differences(to).join(", ")),
            Self::Create(item) => write!(f, "+ {item}"),
            Self::Delete(item) => write!(f, "- {item}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [realm]
        name = "main"
        enabled = true
        access_token_lifetime = 300
        refresh_token_lifetime = 86400
        just_in_time = false
        rotation = { algorithms = ["ES256"], publish_for = 7200, sign_for = 2592000 }

        [[service_accounts]]
        id = "robot"
        enabled = true

        [[keys]]
        owner = "service_account/robot"
        kid = "k1"
        enabled = true
        jwk = { kty = "EC", crv = "P-256", x = "a", y = "b" }
    "#;

    fn lines(current: Option<&str>, wanted: &str) -> Vec<String> {
        let current = current.map(|text| RealmFile::parse(text).unwrap());
        let wanted = RealmFile::parse(wanted).unwrap();
        plan(current.as_ref(), &wanted).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plan_says_what_comes_what_changes_and_what_goes_with_owners_around_what_is_theirs() {
        assert_eq!(
            lines(None, FILE),
            ["+ realm main", "+ service account robot", "+ key service_account/robot/k1"]
        );
        assert_eq!(lines(Some(FILE), FILE), Vec::<String>::new());
        let other = FILE.replace("robot", "machine").replace("lifetime = 300", "lifetime = 60");
        assert_eq!(
            lines(Some(FILE), &other),
            [
                "- key service_account/robot/k1",
                "- service account robot",
                "~ realm main: access_token_lifetime",
                "+ service account machine",
                "+ key service_account/machine/k1",
            ]
        );
    }

    #[test]
    fn a_key_that_is_another_one_takes_the_place_of_its_namesake() {
        assert_eq!(
            lines(Some(FILE), &FILE.replace("x = \"a\"", "x = \"c\"")),
            ["- key service_account/robot/k1", "+ key service_account/robot/k1"]
        );
        let disabled = FILE.replace("kid = \"k1\"\n        enabled = true", "kid = \"k1\"\nenabled = false");
        assert_eq!(lines(Some(FILE), &disabled), ["~ key service_account/robot/k1: enabled"]);
    }

    #[test]
    fn a_file_that_says_something_twice_or_something_unknown_is_refused() {
        let twice = format!("{FILE}\n[[service_accounts]]\nid = \"robot\"\nenabled = false\n");
        let error = RealmFile::parse(&twice).unwrap_err().to_string();
        assert_eq!(error, "service account robot is there more than once");
        let secret = format!("{FILE}\n[[secrets]]\nvalue = \"x\"\n");
        assert!(RealmFile::parse(&secret).unwrap_err().to_string().contains("unknown field `secrets`"));
    }
}
