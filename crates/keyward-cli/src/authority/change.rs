//! What is set of an entity: by flags, by values of its lists, and by a file of members (RFC 7396).

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::kind::Kind;
use crate::exit::Failure;

/// What is set of a new one.
#[derive(Args, Debug)]
pub(crate) struct Given<K: Kind> {
    #[command(flatten)]
    kind: K,
    /// A file with members in a JSON object, which flags count over; - for standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

/// What is changed of one that is there.
#[derive(Args, Debug)]
pub(crate) struct Changes<K: Kind> {
    #[command(flatten)]
    given: Given<K>,
    /// Add a value to a list, by the name of its flag; may be given several times
    #[arg(long, value_name = "FLAG=VALUE", value_parser = pair)]
    add: Vec<(String, String)>,
    /// Take a value out of a list, likewise
    #[arg(long, value_name = "FLAG=VALUE", value_parser = pair)]
    remove: Vec<(String, String)>,
    /// Take away a member, as `show --json` calls it; may be given several times
    #[arg(long, value_name = "MEMBER")]
    unset: Vec<String>,
}

impl<K: Kind> Given<K> {
    /// A new one of this name.
    pub(super) fn entity(&self, of: &K::Of, name: &str) -> Result<Value, Failure> {
        let mut entity = Value::Object(self.kind.fresh(of, name)?);
        self.apply(&mut entity)?;
        for required in K::REQUIRED {
            if entity.get(required).is_none() {
                return Err(Failure::Usage(format!("a new one needs --{required}")));
            }
        }
        Ok(entity)
    }

    /// Sets the file's members, then those of the flags; says whether there were any. They are not merged before: what is null would
    /// be lost.
    fn apply(&self, entity: &mut Value) -> Result<bool, Failure> {
        let from_file = self.from.as_deref().map(read).transpose()?;
        let flags = self.kind.members();
        let is_anything = from_file.is_some() || !flags.is_empty();
        for members in from_file.into_iter().chain([Value::Object(flags)]) {
            merge(entity, members);
        }
        Ok(is_anything)
    }
}

impl<K: Kind> Changes<K> {
    /// Changes one.
    pub(super) fn apply(&self, entity: &mut Value) -> Result<(), Failure> {
        let is_anything = self.given.apply(entity)?;
        if !is_anything && self.add.is_empty() && self.remove.is_empty() && self.unset.is_empty() {
            return Err(Failure::Usage("say what to change; --help tells what can be".to_owned()));
        }
        for (flag, text) in &self.remove {
            let value = K::value(flag, text)?;
            list::<K>(entity, flag)?.retain(|other| *other != value);
        }
        for (flag, text) in &self.add {
            let value = K::value(flag, text)?;
            let list = list::<K>(entity, flag)?;
            if !list.contains(&value) {
                list.push(value);
            }
        }
        for member in &self.unset {
            let removed = entity.as_object_mut().and_then(|members| members.remove(member));
            if removed.is_none() {
                return Err(Failure::Usage(format!("it has no {member:?}; `show` tells what it has")));
            }
        }
        Ok(())
    }
}

/// The list that a flag gives a value of; it is made where there is none yet.
fn list<'a, K: Kind>(entity: &'a mut Value, flag: &str) -> Result<&'a mut Vec<Value>, Failure> {
    let Some((_, pointer)) = K::LISTS.iter().find(|(name, _)| *name == flag) else {
        let names: Vec<_> = K::LISTS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::Usage(format!("{flag:?} is no list; there is {}", names.join(", "))));
    };
    let is_no_list = || Failure::Usage(format!("{flag:?} is no list of this one"));
    let mut place = entity;
    for member in pointer.split('/').skip(1) {
        let members = place.as_object_mut().ok_or_else(is_no_list)?;
        place = members.entry(member).or_insert_with(|| Value::Array(Vec::new()));
    }
    place.as_array_mut().ok_or_else(is_no_list)
}

/// RFC 7396: what is null goes, objects are merged, and all else takes the old one's place.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let name = path.display().to_string();
    let text = if name == "-" {
        std::io::read_to_string(std::io::stdin()).map_err(Failure::Input)?
    } else {
        std::fs::read_to_string(path).map_err(|cause| Failure::File { path: name.clone(), cause })?
    };
    match serde_json::from_str(&text) {
        Ok(members @ Value::Object(_)) => Ok(members),
        Ok(_) => Err(Failure::Usage(format!("{name} is no JSON object"))),
        Err(error) => Err(Failure::Usage(format!("{name} is no JSON object: {error}"))),
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (flag, value) = text.split_once('=').ok_or("write it as FLAG=VALUE, such as scope=read")?;
    Ok((flag.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_merged_as_rfc_7396_says() {
        for (mut target, patch, merged) in [
            (json!({ "a": 1 }), json!({ "b": [2] }), json!({ "a": 1, "b": [2] })),
            (json!({ "a": [1], "b": 2 }), json!({ "a": [3], "b": null }), json!({ "a": [3] })),
            (json!({ "a": "x" }), json!({ "a": { "b": 1, "c": null } }), json!({ "a": { "b": 1 } })),
            (
                json!({ "a": { "b": 1, "c": 2 } }),
                json!({ "a": { "b": 3 } }),
                json!({ "a": { "b": 3, "c": 2 } }),
            ),
        ] {
            merge(&mut target, patch);
            assert_eq!(target, merged);
        }
    }
}
