//! What mends a refused credential: lines of our configuration, and what to do at the provider.

use crate::code::Code;
use crate::diagnosis::Finding;
use crate::facts::Variation;

use super::case::Case;

/// The table of our configuration that all of it is about.
const TABLE: &str = "In keyward.toml under [issuer.introspection.credential]";

impl Case<'_> {
    /// How a finding of this code is mended.
    pub(super) fn mended(&self, finding: Finding) -> Finding {
        let (who, key, file) = (self.who(), self.key(), self.path());
        let finding = match finding.code {
            Code::ApplicationKeyForGrant => {
                let service_account = "let the provider make a key for a service account (Zitadel: Users, Service Users, Keys, \"type\": \"serviceaccount\")";
                let is_refused = self.said(Variation::AsClientAssertion).is_some();
                // What was tried and refused is no advice.
                let finding = if is_refused {
                    finding
                        .step(format!("The introspection endpoint refuses the key as a client's as well, so that it is disabled, over or another instance's: {service_account}, and put it into {file}"))
                } else {
                    finding
                };
                let finding = finding.step(format!(
                    "{TABLE}: method = \"private_key_jwt\" and key_file = {file:?}; take out grant, subject, scope and token_endpoint. The key then authenticates us at the introspection endpoint itself, and no token is exchanged{}",
                    if is_refused { ". That takes a key of the application that is good" } else { "" }
                ));
                if is_refused { finding } else { finding.step(format!("Or keep the grant, and {service_account}")) }
            }
            Code::KeyKindWrong => finding
                .step(format!(
                    "{TABLE}: method = \"bearer\", grant = \"jwt_bearer\" and key_file = {file:?}; take out client_id"
                ))
                .step("Or keep private_key_jwt, and let the provider make a key for the application (Zitadel: Projects, the API application, Keys, \"type\": \"application\")"),
            Code::ProviderLosesSightOfKey => finding
                .step(format!("Is {key} still listed at {who} in the provider's console? If not, let the provider make a new key"))
                .step("If it is listed: the provider's projections are behind. Zitadel: compare projections.current_states with the newest position of eventstore.events2, and restart it; it catches up then")
                .step("The gateway obtains its token by itself as soon as the provider finds the key; nothing has to be restarted here"),
            Code::OwnKeyDisabled => finding
                .step(format!("Enable {key} of {who} at the provider, or let it make a new key and put that into {file}; the file is read again within seconds")),
            Code::OwnKeyExpired => finding
                .step(format!("Let the provider make a new key for {who}, and put it into {file}; the file is read again within seconds")),
            Code::AssertionWithoutKid => finding
                .step(format!("{TABLE}: key_id = \"…\", the key's name at the provider; or use the key file as the provider handed it out, which says it")),
            Code::AssertionIssuerWrong => match self.owner() {
                Some(owner) => finding.step(format!("{TABLE}: take out subject (or client_id), or set it to {owner:?}, whose key {file} is")),
                None => finding.step(format!("{TABLE}: subject (or client_id) is {who:?}; set it to whom the key belongs at the provider")),
            },
            Code::SecretWrong => finding
                .step(format!("Copy the secret of {who} from the provider into {file}, in one line without quotes; it is read again within seconds"))
                .step("If nobody has it, let the provider make a new one"),
            Code::OwnKeyUnknown => finding
                .step(format!("Register the public half of {key} for {who} at the provider, or let it make a key and put that into {file}"))
                .step("Is it a key of another instance of the same provider (staging)?"),
            Code::ClientUnknown => finding
                .step(format!("Is {who} a client of this very instance and realm? A credential of another one (staging) looks just so"))
                .step(format!("{TABLE}: client_id has to be what the provider calls us")),
            Code::AssertionAudienceWrong => match self.taken_audience() {
                Some(audience) => finding.step(format!("{TABLE}: assertion_audience = {audience:?}, which {} takes", self.seen.name)),
                None => finding.step(format!("{TABLE}: assertion_audience is \"issuer\", \"endpoint\" or any other text; the provider's manual says which it wants")),
            },
            Code::AssertionTimesRefused => finding
                .step("Set the clock that is wrong: assertions count for 60 s, and no leeway of ours moves the provider's")
                .run("Ours, where the gateway runs", ["timedatectl", "timesync-status"]),
            Code::AuthMethodWrong => match self.taken_method() {
                Some(method) => {
                    let is_obtained = self.introspection.credential.method.starts_with("bearer");
                    let name = if is_obtained { "client_authentication" } else { "method" };
                    finding.step(format!("{TABLE}: {name} = {method:?}, which {} takes", self.seen.name))
                }
                None => finding.step(format!(
                    "{TABLE}: method has to be one of {}",
                    self.advertised().join(", ")
                )),
            },
            Code::ClientDisabled => finding.step(format!("Enable {who} at the provider")),
            Code::AssertionSignatureWrong => finding
                .step(format!("{key} was made anew at the provider, or {file} holds another key: let the provider make a key, and put that into {file}")),
            Code::BearerRefused if self.introspection.credential.method == "bearer_file" => finding
                .step(format!("Renew the token in {file}; the file is read again within seconds"))
                .run("What it says of itself", super::super::command::Command::new(["cat", "--", file.as_str()]).piped(["keyward", "token", "inspect"])),
            Code::BearerRefused => finding
                .step("The provider grants us a token, and its introspection endpoint does not take that: give our client or service account the right to introspect")
                .step(format!("Zitadel: {TABLE}: scope = \"openid urn:zitadel:iam:org:project:id:PROJECT_ID:aud\", with the project of the API")),
            Code::AssertionFormWrong => finding
                .step("A gateway's assertions have all that RFC 7523 wants: look for what the provider wants beside it, and whether this gateway is as new as the provider"),
            Code::AssertionReplayed => finding
                .step("Look for what sends a request twice: a proxy between that tries again, two gateways with one clock and one source of randomness (a cloned machine)")
                .step("If nothing does, somebody reads along: let the provider make a new key, and take the old one away"),
            Code::GrantRefused => finding
                .step(format!("Allow {who} at the provider what is asked for: the grant, the scopes and the audience; {TABLE}: scope is what we ask for")),
            Code::IntrospectionNotAllowed => finding
                .step(format!("Let {who} ask about tokens: our authority by introspected_by of the resource server whose tokens they are, or by the scope introspect")),
            Code::CertificateRefused => finding
                .step(format!("Compare the certificate of {who} with what the provider has of it, to the letter; a renewed one may have another subject or another key")),
            Code::SecretExpired => finding
                .step(format!("Let the provider make a new secret for {who}, and put it into {file}; it is read again within seconds")),
            Code::ExchangeFails | Code::CredentialsRefused => self.looked_into(finding),
            _ => finding,
        };
        let there = self.mended_there(finding.code);
        let finding = there.into_iter().fold(finding, |finding, (what, command)| finding.run(what, command));
        finding.run("Then look again", ["keyward", "doctor", "--config", "keyward.toml"])
    }

    /// Where nobody says why: the provider's log does.
    fn looked_into(&self, finding: Finding) -> Finding {
        let (log, finding) = if self.is_at_authority() {
            ("authority.log", finding.step("Our authority tells alike what a stranger could learn from, and its log names the cause of each refusal. Take it of the last ten minutes, of every node: journalctl -u keyward-authority --since -10min -o cat >authority.log, or docker logs --since 10m keyward-authority >authority.log 2>&1"))
        } else {
            ("provider.log", finding.step("Only the provider's log says why. Take it of the last ten minutes: docker logs --since 10m zitadel >provider.log 2>&1, or kubectl logs --since=10m deployment/zitadel >provider.log"))
        };
        finding.run(
            "and hand it in: of each line nothing is kept but what it means",
            ["keyward", "doctor", "--config", "keyward.toml", "--provider-log", log],
        )
    }
}
