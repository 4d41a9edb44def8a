//! What can be no token, whatever it says.

use crate::code::Code;
use crate::facts::{TokenFacts, TokenForm};

use super::{Case, Found};
use crate::rules::tokens::inspect;

impl Case<'_> {
    /// What it was handed in with. One `Bearer` is how it stands in a header, and no trouble.
    pub(super) fn wrapped(&self, found: &mut Found) {
        let Some(around) = self.token.wrapped_in.as_deref() else {
            return;
        };
        if around == "its scheme (Bearer)" || around == "the name of the header, its scheme (Bearer)" {
            return;
        }
        let cause = format!("The token is sent with something around it: {around}");
        let finding = self.finding(Code::TokenWrapped, cause);
        found.add(
            finding
                .seen(format!("handed in with {around}; without that it is looked at here"))
                .step("If the client sends it so, it sends the token alone: Authorization: Bearer TOKEN, once, without quotes and line breaks.")
                .step("If a proxy adds the scheme, it is told not to where the client has done so."),
        );
    }

    /// Whether its form is all there is to say.
    pub(super) fn form(&self, found: &mut Found) -> bool {
        let TokenFacts { octets, malformed, refused_for, .. } = self.token;
        let too_large = self.refusing(&["token_too_large"]);
        if refused_for.as_deref() == Some("token_too_large") || !too_large.is_empty() {
            let cause = format!("The token has {octets} octets, which is more than we take");
            found.add(
                self.finding(Code::TokenTooLarge, cause)
                    .certain()
                    .seen(format!("{octets} octets"))
                    .step("The provider puts less into it: groups and roles are the usual weight.")
                    .step("Or raise token_octets of the [[issuer]], and head_octets of the gateway and the proxy with it."),
            );
            return true;
        }
        if self.is_readable() {
            return false;
        }
        let why = malformed.as_deref().unwrap_or("it cannot be read");
        match (self.token.form, refused_for.as_deref()) {
            (TokenForm::Encrypted, _) => found.add(
                self.finding(Code::EncryptedToken, "The token is encrypted (JWE), and is not read")
                    .certain()
                    .seen(why)
                    .step("The provider issues signed access tokens (JWS) for this client or audience, in place of encrypted ones."),
            ),
            (TokenForm::Opaque, _) if self.token.would_be.iter().any(|route| route.verdict == "introspected") => {}
            (TokenForm::Opaque, _) => found.add(
                self.finding(Code::OpaqueToken, "The token is opaque, and no introspection endpoint is configured to ask about it")
                    .certain()
                    .seen(why)
                    .seen("the gateway answers 401 malformed_token")
                    .step("Configure [issuer.introspection] for its issuer (docs/how-to/introspection.md);")
                    .step("or the client asks for a JWT: with most providers by an audience or a setting of the client."),
            ),
            (_, Some("critical_header_unsupported")) => found.add(
                self.finding(Code::CriticalHeader, "The token's header demands an extension that is not understood")
                    .certain()
                    .seen(why)
                    .step("The provider issues it without crit and b64."),
            ),
            (_, Some("unsupported_algorithm")) => {
                let algorithm = self.token.algorithm.as_deref().unwrap_or("another");
                let cause = match algorithm {
                    "none" => "The token is not signed: its algorithm is none".to_owned(),
                    _ => "The token's algorithm is none that Keyward knows".to_owned(),
                };
                found.add(
                    self.finding(Code::AlgorithmRefused, cause)
                        .certain()
                        .seen(why)
                        .step("The provider signs with RS256, ES256, EdDSA or another algorithm of the reference."),
                );
            }
            _ => found.add(
                self.finding(Code::TokenMalformed, format!("What was handed in is no token: {why}"))
                    .certain()
                    .seen(format!("{octets} octets; {why}"))
                    .step("The client sends the access token as the token endpoint answered it, whole: something cuts or rewrites it.")
                    .run("See how far it can be read:", inspect()),
            ),
        }
        true
    }
}
