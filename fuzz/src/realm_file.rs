use keyward_authority::apply::{RealmFile, plan};

/// `RealmFile::parse` of `data`.
///
/// What is read and written is read as the same, is written again to the octet, and leaves nothing to do.
pub fn realm_file(data: &[u8]) {
    let Some(file) = std::str::from_utf8(data).ok().and_then(|text| RealmFile::parse(text).ok()) else {
        return;
    };
    let written = file.write().unwrap();
    let again = RealmFile::parse(&written).unwrap();
    assert_eq!(again.write().unwrap(), written);
    assert!(plan(Some(&file), &again).is_empty());
    // A realm that is not there has everything made, and one that has nothing loses nothing.
    let made = plan(None, &file).len();
    assert!(made > 0 && plan(None, &again).len() == made);
    assert_eq!(again.realm, file.realm);
}
