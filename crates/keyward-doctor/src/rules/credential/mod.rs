//! Our credential at the introspection endpoint, and why it is refused: one cause, the one that most speaks for.

mod at_authority;
mod case;
mod cause;
mod fix;
mod grounds;
#[cfg(test)]
mod tests;
mod told;

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::{CredentialFileFault, Facts, IntrospectionFacts, Variation};
use crate::said::{INTROSPECTION, Meaning, cause_in};

use super::found::Found;
use super::held::{self, Seen};
use super::words::several;
use case::Case;

pub(super) use told::call_told;

pub(super) fn look(facts: &Facts, found: &mut Found) {
    for seen in held::issuers(facts) {
        match seen.probed.and_then(|issuer| Some((issuer, issuer.introspection.as_ref()?))) {
            Some((issuer, introspection)) => {
                files(seen, introspection, found);
                let case = Case { facts, seen, issuer, introspection };
                if let Some(finding) = case.finding() {
                    found.add(finding);
                } else if introspection.calls.is_empty() {
                    gateway_alone(seen, found);
                } else {
                    held_by_gateway(seen, introspection, found);
                }
            }
            None => gateway_alone(seen, found),
        }
    }
}

/// The files, whatever the provider says.
fn files(seen: Seen<'_>, introspection: &IntrospectionFacts, found: &mut Found) {
    let credential = &introspection.credential;
    let is_unfit = credential.key_file.as_ref().is_some_and(|file| file.unfit);
    match &credential.fault {
        Some(CredentialFileFault::Exposed(why)) => found.add(
            Finding::new(
                Code::CredentialFileExposed,
                format!("others can read a file of our credential at {}", seen.name),
            )
            .of(seen.name)
            .seen(why)
            .certain()
            .step("chmod 0600 the file, and let it belong to the user that the gateway runs as")
            .step("If others had access to the machine, let the provider make a new secret or key"),
        ),
        // A key for something else has a name of its own.
        Some(CredentialFileFault::Unusable(why)) if !is_unfit => found.add(
            Finding::new(
                Code::CredentialFileUnusable,
                format!("a file of our credential at {} cannot be used", seen.name),
            )
            .of(seen.name)
            .seen(why)
            .certain()
            .step("A gateway that runs keeps the credential that it has; one that starts refuses to")
            .step("Mend the file; it is read again within seconds")
            .run("Then look again", ["keyward", "doctor", "--config", "keyward.toml"]),
        ),
        Some(CredentialFileFault::Forbidden(why)) => found.unseen(format!(
            "our credential at {}: {why}. Look as the user that the gateway runs as",
            seen.name
        )),
        _ => {}
    }
}

/// A gateway whose credential is refused, where ours, from the same files, is taken.
fn held_by_gateway(seen: Seen<'_>, introspection: &IntrospectionFacts, found: &mut Found) {
    let is_taken = introspection.calls.iter().any(|call| {
        call.endpoint == INTROSPECTION
            && call.variation == Variation::Configured
            && Meaning::of(call) == Meaning::Taken
    });
    if !is_taken {
        return;
    }
    let method = &introspection.credential.method;
    found.healthy(seen.name, format!("the introspection endpoint takes our credential ({method})"));
    let Some(held) = seen.held.and_then(|held| held.introspection.as_ref()) else { return };
    let credential = &held.credential;
    if credential.state != "rejected" {
        return;
    }
    let wait = held.retry_in_seconds.unwrap_or(60);
    found.add(
        Finding::new(
            Code::GatewayHoldsOldCredential,
            format!("{} takes the credential from our files, and refused the gateway's", seen.name),
        )
        .of(seen.name)
        .seen(format!("gateway: its credential was refused, {} in a row", attempts(credential.rejections)))
        .seen_all(credential.last_error.as_ref().map(|error| format!("gateway: {error}")))
        .seen("from here the same credential is taken")
        .likely()
        .step(format!("The gateway tries again by itself within {wait} s; if it was mended just now, wait"))
        .step("If it goes on: does the gateway read the same files? A mount that shows an old file, another folder, another machine"),
    );
}

/// An issuer that was not probed.
fn gateway_alone(seen: Seen<'_>, found: &mut Found) {
    let Some(held) = seen.held.and_then(|held| held.introspection.as_ref()) else { return };
    if held.credential.state != "rejected" {
        return;
    }
    let error = held.credential.last_error.as_deref().unwrap_or("no reason is known");
    let code = cause_in(error).map_or(Code::CredentialsRefused, |cause| cause.code(&held.credential.method));
    let cause = format!("{} refuses the gateway's credential: {error}", seen.name);
    found.add(
        Finding::new(code, cause)
            .of(seen.name)
            .seen(format!(
                "gateway: {} was refused, {} in a row",
                held.credential.method,
                attempts(held.credential.rejections)
            ))
            .seen(format!("gateway: {error}"))
            .likely()
            .run(
                "Look where the configuration and its files are: each cause is tried",
                ["keyward", "doctor", "--config", "keyward.toml"],
            ),
    );
}

fn attempts(count: u32) -> String {
    several(usize::try_from(count).unwrap_or(usize::MAX), "attempt")
}
