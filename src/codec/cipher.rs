//! The encryption of the frame: AES in counter mode or cipher feedback mode.
//!
//! The key schedule is computed once per key. Neither mode authenticates: the frame's MAC
//! does, and is verified before decryption.

use aes::cipher::{
    BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, consts::U16,
};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use ctr::{CtrCore, flavors::Ctr128BE};

use super::{BlockKey, Cipher};

/// The length of the IV before each ciphertext, in bytes: one AES block.
pub(super) const IV: usize = 16;

/// Encrypts and decrypts with one block key and mode.
pub(super) struct Encryptor {
    mode: Cipher,
    schedule: KeySchedule,
}

/// The key schedules for encryption: both modes use only AES encryption, even to decrypt.
enum KeySchedule {
    Aes128(Aes128Enc),
    Aes192(Aes192Enc),
    Aes256(Aes256Enc),
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

impl Encryptor {
    pub(super) fn new(mode: Cipher, key: &BlockKey) -> Self {
        let key = key.expose();
        let schedule = None
            .or_else(|| Aes128Enc::new_from_slice(key).ok().map(KeySchedule::Aes128))
            .or_else(|| Aes192Enc::new_from_slice(key).ok().map(KeySchedule::Aes192))
            .or_else(|| Aes256Enc::new_from_slice(key).ok().map(KeySchedule::Aes256));
        #[expect(clippy::expect_used, reason = "a BlockKey has 16, 24 or 32 bytes")]
        let schedule = schedule.expect("a block key has a length of AES");
        Encryptor { mode, schedule }
    }

    /// Encrypts in place.
    pub(super) fn encrypt(&self, iv: &[u8; IV], text: &mut [u8]) {
        self.run(Direction::Encrypt, iv, text);
    }

    /// Decrypts in place.
    pub(super) fn decrypt(&self, iv: &[u8; IV], text: &mut [u8]) {
        self.run(Direction::Decrypt, iv, text);
    }

    fn run(&self, direction: Direction, iv: &[u8; IV], text: &mut [u8]) {
        match &self.schedule {
            KeySchedule::Aes128(aes) => run(aes, self.mode, direction, iv, text),
            KeySchedule::Aes192(aes) => run(aes, self.mode, direction, iv, text),
            KeySchedule::Aes256(aes) => run(aes, self.mode, direction, iv, text),
        }
    }
}

fn run<C>(aes: &C, mode: Cipher, direction: Direction, iv: &[u8; IV], text: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    match (mode, direction) {
        (Cipher::AesCtr, _) => {
            let core = CtrCore::<&C, Ctr128BE>::inner_iv_init(aes, iv.into());
            aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(text);
        }
        (Cipher::AesCfb, Direction::Encrypt) => {
            cfb_mode::Encryptor::inner_iv_init(aes, iv.into()).encrypt(text);
        }
        (Cipher::AesCfb, Direction::Decrypt) => {
            cfb_mode::Decryptor::inner_iv_init(aes, iv.into()).decrypt(text);
        }
    }
}
