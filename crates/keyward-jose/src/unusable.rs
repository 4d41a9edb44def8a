//! Why one key of a set cannot be used. The rest of its set works.

/// Why a JWK is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnusableKey {
    /// `alg` is no signature algorithm we know, or does not go with the key's `kty` and `crv`.
    #[error("its alg is not a signature algorithm that this kind of key can serve")]
    AlgorithmUnsupported,
    /// A member is not canonical unpadded base64url.
    #[error("member {member} is not canonical unpadded base64url")]
    BadBase64Url {
        /// The member's name.
        member: &'static str,
    },
    /// `crv` is no curve we know.
    #[error("its curve is not supported")]
    CurveUnsupported,
    /// A member name stands twice (RFC 7517 §4).
    #[error("a member stands twice")]
    DuplicateMember,
    /// The RSA public exponent is below 3, even, or over 2^33.
    #[error("its RSA public exponent is even, below 3 or over 2^33")]
    ExponentInvalid,
    /// The entry is no JSON object, or a member is of the wrong type.
    #[error("it is not a JSON object whose members have the right types")]
    Malformed,
    /// A member that the key type demands is not there.
    #[error("member {member} is missing")]
    MemberMissing {
        /// The member's name.
        member: &'static str,
    },
    /// The RSA modulus is even: no product of two odd primes.
    #[error("its RSA modulus is even")]
    ModulusEven,
    /// The RSA modulus is shorter than 2048 or longer than 8192 bits.
    #[error("its RSA modulus of {bits} bits is not within 2048 to 8192")]
    ModulusSize {
        /// The modulus' length.
        bits: usize,
    },
    /// `use` is not `sig`, or `key_ops` does not hold `verify` (RFC 7517 §4.2, §4.3).
    #[error("its use or key_ops does not allow verifying signatures")]
    NotForVerification,
    /// The coordinates are not those of a point on the curve, the key has the wrong length, or it is a point
    /// of small order, with which anybody can sign.
    #[error("its coordinates are not a point on the curve that could be a public key")]
    PointInvalid,
    /// Members of a private key stand where a public key belongs: it must be taken for leaked.
    #[error("it holds private key members and must be taken for leaked")]
    PrivateMembers,
    /// The modulus bears the ROCA fingerprint (CVE-2017-15361).
    #[error("its RSA modulus bears the ROCA fingerprint (CVE-2017-15361)")]
    RocaModulus,
    /// The HMAC secret is shorter than the hash (RFC 7518 §3.2).
    #[error("its secret is shorter than the hash it is for")]
    SecretTooShort,
    /// A symmetric key stands in a public set: it must be taken for leaked.
    #[error("it is a symmetric key in a public set and must be taken for leaked")]
    SymmetricInPublicSet,
    /// `kty` is none we know, such as `AKP`.
    #[error("its key type is not supported")]
    TypeUnsupported,
}

impl UnusableKey {
    /// The label of this reason in metrics, logs and reports.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AlgorithmUnsupported => "algorithm_unsupported",
            Self::BadBase64Url { .. } => "bad_base64url",
            Self::CurveUnsupported => "curve_unsupported",
            Self::DuplicateMember => "duplicate_member",
            Self::ExponentInvalid => "exponent_invalid",
            Self::Malformed => "malformed",
            Self::MemberMissing { .. } => "member_missing",
            Self::ModulusEven => "modulus_even",
            Self::ModulusSize { .. } => "modulus_size",
            Self::NotForVerification => "not_for_verification",
            Self::PointInvalid => "point_invalid",
            Self::PrivateMembers => "private_members",
            Self::RocaModulus => "roca_modulus",
            Self::SecretTooShort => "secret_too_short",
            Self::SymmetricInPublicSet => "symmetric_in_public_set",
            Self::TypeUnsupported => "type_unsupported",
        }
    }
}
