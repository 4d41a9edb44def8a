//! An issuer's token, taken apart so that it can be bent.

use std::fmt;

use serde_json::Value;

use super::error::Error;

/// A compact JWS as an issuer made it, or with one part changed.
#[derive(Clone)]
pub(crate) struct Token {
    header: String,
    payload: String,
    signature: String,
}

impl Token {
    /// Takes a token apart without verifying anything.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let mut parts = text.split('.').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(header), Some(payload), Some(signature), None) => Ok(Self { header, payload, signature }),
            _ => Err(Error::Token { why: "it has not three parts" }),
        }
    }

    /// A member of the header that is a string, such as `kid`.
    pub(crate) fn header(&self, name: &'static str) -> Result<String, Error> {
        let value = json(&self.header)?;
        let text = value.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or(Error::MissingField { what: "read a token's header", field: name })
    }

    /// The same token with one bit of its signature flipped.
    pub(crate) fn with_bent_signature(&self) -> Result<Self, Error> {
        let mut bytes = decode(&self.signature)?;
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).ok_or(Error::Token { why: "its signature is empty" })? ^= 1;
        Ok(Self { signature: encode(&bytes), ..self.clone() })
    }

    /// The same token with a claim set to another value, under the old signature.
    pub(crate) fn with_claim(&self, name: &str, value: &str) -> Result<Self, Error> {
        let mut claims = json(&self.payload)?;
        let members = claims.as_object_mut().ok_or(Error::Token { why: "its payload is no object" })?;
        members.insert(name.to_owned(), Value::from(value));
        Ok(Self { payload: encode(claims.to_string().as_bytes()), ..self.clone() })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.header, self.payload, self.signature)
    }
}

fn json(part: &str) -> Result<Value, Error> {
    serde_json::from_slice(&decode(part)?).map_err(|_| Error::Token { why: "a part is no JSON" })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Unpadded base64url (RFC 4648 section 5).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = word >> (18 - 6 * place) & 63;
            text.extend(ALPHABET.get(index as usize).map(|letter| char::from(*letter)));
        }
    }
    text
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut word, mut bits) = (0_u32, 0);
    for letter in text.bytes() {
        let index = ALPHABET.iter().position(|known| *known == letter);
        let index = index.ok_or(Error::Token { why: "a part is no base64url" })?;
        word = word << 6 | index as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((word >> bits & 255) as u8);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_survives_a_round_trip_at_every_length() {
        for length in 0..70_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
            assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
        assert_eq!(encode(b"\xfb\xff\xfe"), "-__-");
    }

    #[test]
    fn a_bent_token_differs_in_one_part_only() {
        let token = Token::parse("eyJraWQiOiJhIn0.eyJzdWIiOiJiIn0.AAAA").unwrap();
        assert_eq!(token.header("kid").unwrap(), "a");
        assert_eq!(token.with_bent_signature().unwrap().to_string(), "eyJraWQiOiJhIn0.eyJzdWIiOiJiIn0.AAEA");
        assert_eq!(token.with_claim("sub", "c").unwrap().to_string(), "eyJraWQiOiJhIn0.eyJzdWIiOiJjIn0.AAAA");
    }
}
