//! One file for several drills that differ in a few places.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The variants of a file, by the name that each adds to the drill's.
#[derive(Deserialize)]
pub(crate) struct Variants {
    #[serde(default)]
    pub(crate) variants: BTreeMap<String, Variant>,
}

/// Where a variant differs from the others.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Variant {
    /// The TOML that takes the place of `"{{variant}}"`.
    One(String),
    /// The TOML that takes the place of `"{{NAME}}"`, by name.
    Several(BTreeMap<String, String>),
}

impl Variant {
    /// The file with the variant's texts in place.
    pub(crate) fn apply(&self, text: &str) -> String {
        let replace =
            |text: &str, name: &str, value: &str| text.replace(&format!("\"{{{{{name}}}}}\""), value);
        match self {
            Self::One(value) => replace(text, "variant", value),
            Self::Several(values) => {
                values.iter().fold(text.to_owned(), |text, (name, value)| replace(&text, name, value))
            }
        }
    }
}
