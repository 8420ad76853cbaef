//! The floor: the primitives that a cookie always needs, on the same numbers of bytes. No framing,
//! no date, no allocation, no randomness.

use aes::Aes256Enc;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use base64::Engine;
use base64::engine::general_purpose::PAD;
use base64::engine::simd::Simd;
use ctr::{CtrCore, flavors::Ctr128BE};
use sha2::block_api::compress256;

/// Prepared inputs and outputs of one payload size.
pub(crate) struct Floor {
    base64: Simd,
    aes: Option<Aes256Enc>,
    /// The IV and the payload.
    raw: Vec<u8>,
    value: Vec<u8>,
    /// `date|v|mac`.
    inner: Vec<u8>,
    cookie: Vec<u8>,
    blocks: Vec<[u8; 64]>,
    /// Decoding reserves room for the largest payload that the padding allows.
    decoded: Vec<u8>,
}

impl Floor {
    pub(crate) fn new(size: usize, encrypts: bool) -> Self {
        let base64 = Simd::url_safe(PAD);
        let raw = vec![7; size + if encrypts { 16 } else { 0 }];
        let value = base64.encode(&raw).into_bytes();
        let signed = "sid|1700000000|".len() + value.len();
        let inner = vec![7; signed - "sid|".len() + "|".len() + 32];
        // SHA-256 pads with 9 bytes or more.
        let blocks = (signed + 9).div_ceil(64);
        Floor {
            aes: encrypts.then(|| Aes256Enc::new(&[7; 32].into())),
            raw,
            value,
            cookie: base64.encode(&inner).into_bytes(),
            decoded: vec![7; inner.len() + 2],
            inner,
            blocks: vec![[7; 64]; blocks],
            base64,
        }
    }

    pub(crate) fn seal(&mut self) {
        self.encrypt();
        let encoded = self.base64.encode_slice(&self.raw, &mut self.value);
        encoded.unwrap();
        self.hash();
        let encoded = self.base64.encode_slice(&self.inner, &mut self.cookie);
        encoded.unwrap();
    }

    pub(crate) fn open(&mut self) {
        let decoded = self.base64.decode_slice(&self.cookie, &mut self.decoded);
        decoded.unwrap();
        self.hash();
        let decoded = self.base64.decode_slice(&self.value, &mut self.decoded);
        decoded.unwrap();
        self.encrypt();
    }

    fn encrypt(&mut self) {
        if let Some(aes) = &self.aes {
            let core = CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &[7; 16].into());
            let text = self.raw.get_mut(16..).unwrap();
            StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
        }
    }

    pub(crate) fn hash(&mut self) {
        let mut inner = [7; 8];
        compress256(&mut inner, &self.blocks);
        let mut digest = [7; 64];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(inner) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        let mut outer = [7; 8];
        compress256(&mut outer, &[digest]);
        std::hint::black_box(outer);
    }
}
