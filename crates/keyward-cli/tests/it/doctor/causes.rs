//! The doctor's table of the authority's causes, against the authority's own.

use keyward_authority::cause::Cause;
use keyward_doctor::authority::CAUSES;

/// Of no credential that introspects, and of nothing that one asks for.
const OF_OTHERS: &[&str] = &[
    "body_too_large",
    "certificate_header_malformed",
    "dpop_nonce_wanted",
    "dpop_proof_invalid",
    "dpop_proof_replayed",
    "form_malformed",
    "grant_unsupported",
    "identity_disabled",
    "identity_unknown",
    "parameter_missing",
    "parameter_repeated",
    "refresh_token_expired",
    "refresh_token_of_another",
    "refresh_token_reused",
    "refresh_token_revoked",
    "refresh_token_unknown",
    "subject_token_refused",
    "subject_token_type_unsupported",
    "subject_token_undecided",
    "token_of_another",
];

#[test]
fn what_the_doctor_knows_of_the_authoritys_causes_is_what_the_authority_says() {
    let (known, others): (Vec<_>, Vec<_>) =
        Cause::ALL.iter().partition(|cause| !OF_OTHERS.contains(&cause.label()));
    let told = |cause: &Cause| (cause.label(), cause.description());
    let known: Vec<_> = known.into_iter().map(told).collect();
    let table: Vec<_> = CAUSES.iter().map(|row| (row.label, row.description)).collect();
    assert_eq!(table, known, "a cause that is new is in the doctor's table or in the list of this test");
    let others: Vec<_> = others.into_iter().map(|cause| cause.label()).collect();
    assert_eq!(OF_OTHERS, others);
}

/// Otherwise the doctor names a cause where it may be another.
#[test]
fn no_description_that_the_doctor_reads_is_that_of_a_cause_it_does_not_know() {
    for cause in Cause::ALL.iter().filter(|cause| OF_OTHERS.contains(&cause.label())) {
        let same = CAUSES.iter().find(|row| row.description == cause.description());
        assert!(same.is_none(), "{} is told as {same:?}", cause.label());
    }
}
