//! The base64 engine of this target: SIMD on x86-64 and 64-bit Arm, scalar elsewhere.
//!
//! Both read and write the same texts: canonical base64url with padding (RFC 4648, section 5).

/// Encodes with padding. Refuses other padding and nonzero trailing bits.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) static URL_SAFE: std::sync::LazyLock<base64::engine::simd::Simd> =
    std::sync::LazyLock::new(|| {
        base64::engine::simd::Simd::url_safe(base64::engine::general_purpose::PAD)
    });

/// Encodes with padding. Refuses other padding and nonzero trailing bits.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) static URL_SAFE: base64::engine::GeneralPurpose =
    base64::engine::general_purpose::URL_SAFE;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose;
    use proptest::prelude::*;

    use super::URL_SAFE;

    proptest! {
        #[test]
        fn the_engine_of_this_target_agrees_with_the_scalar_one(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let text = general_purpose::URL_SAFE.encode(&bytes);
            prop_assert_eq!(URL_SAFE.encode(&bytes), text.clone());
            prop_assert_eq!(URL_SAFE.decode(&text).ok(), Some(bytes));
        }

        #[test]
        fn the_engine_of_this_target_refuses_what_the_scalar_one_refuses(
            text in "[A-Za-z0-9_=+/\n-]{0,140}",
            place in 0..140_usize,
            wrong in any::<u8>(),
        ) {
            let mut text = text.into_bytes();
            if let Some(byte) = text.get_mut(place) {
                *byte = wrong;
            }
            prop_assert_eq!(
                URL_SAFE.decode(&text).ok(),
                general_purpose::URL_SAFE.decode(&text).ok()
            );
        }
    }
}
