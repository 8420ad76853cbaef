//! Where IVs and keys come from: the operating system, at once or buffered.
//!
//! Failing randomness is an error, never a weaker cookie. No generator of our
//! own lives here: a buffer only spares system calls.

use std::cell::RefCell;

use zeroize::{Zeroize, Zeroizing};

use super::Error;

/// How many bytes one refill asks for: 32 IVs, and no more to lose than that.
const BUFFER: usize = 512;

/// Bytes from the operating system, for keys.
pub(super) fn fill_from_system(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes)
        .map_err(|error| Error::internal("the system has no randomness to give").with_source(error))
}

/// Where the IV of each sealed cookie comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum IvSource {
    /// One system call for each IV.
    System,
    /// One system call for many IVs, kept by each thread.
    Buffered,
    /// A given IV, for byte-exact tests; there is no way to ask for it from outside.
    #[cfg(test)]
    Fixed([u8; 16]),
}

impl IvSource {
    pub(super) fn fill(self, iv: &mut [u8]) -> Result<(), Error> {
        match self {
            IvSource::System => fill_from_system(iv),
            IvSource::Buffered => {
                let process = std::process::id();
                // The buffer is gone only while its thread ends.
                THREAD_BUFFER
                    .try_with(|buffer| buffer.borrow_mut().take(iv, process, fill_from_system))
                    .unwrap_or_else(|_| fill_from_system(iv))
            }
            #[cfg(test)]
            IvSource::Fixed(fixed) => {
                iv.copy_from_slice(&fixed);
                Ok(())
            }
        }
    }
}

thread_local! {
    static THREAD_BUFFER: RefCell<Buffer> = RefCell::new(Buffer::empty());
}

/// Random bytes not yet handed out, and the process they were drawn in.
///
/// A forked child has a copy of its parent's buffer. Two cookies under one IV
/// give away the XOR of their plaintexts, so the copy is thrown away: the child
/// sees that the process is another.
struct Buffer {
    bytes: Zeroizing<[u8; BUFFER]>,
    used: usize,
    process: u32,
}

impl Buffer {
    fn empty() -> Self {
        Buffer {
            bytes: Zeroizing::new([0; BUFFER]),
            used: BUFFER,
            process: 0,
        }
    }

    /// Takes bytes nobody has had before, and wipes them behind itself.
    fn take(
        &mut self,
        wanted: &mut [u8],
        process: u32,
        refill: impl Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.process != process || BUFFER - self.used < wanted.len() {
            self.used = BUFFER;
            refill(&mut *self.bytes)?;
            (self.used, self.process) = (0, process);
        }
        let next = self.used + wanted.len();
        let Some(fresh) = self.bytes.get_mut(self.used..next) else {
            return refill(wanted);
        };
        wanted.copy_from_slice(fresh);
        fresh.zeroize();
        self.used = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A source whose n-th refill is all `n`.
    fn counting(refills: &Cell<u8>) -> impl Fn(&mut [u8]) -> Result<(), Error> + '_ {
        move |bytes| {
            refills.set(refills.get() + 1);
            bytes.fill(refills.get());
            Ok(())
        }
    }

    #[test]
    fn one_refill_serves_many_ivs() {
        let (refills, mut buffer) = (Cell::new(0), Buffer::empty());
        for _ in 0..BUFFER / 16 {
            let mut iv = [0; 16];
            buffer.take(&mut iv, 1, counting(&refills)).unwrap();
            assert_eq!(iv, [1; 16]);
        }
        assert_eq!(refills.get(), 1);
        buffer.take(&mut [0; 16], 1, counting(&refills)).unwrap();
        assert_eq!(refills.get(), 2);
    }

    #[test]
    fn a_forked_child_never_hands_out_its_parents_bytes() {
        let (refills, mut parent) = (Cell::new(0), Buffer::empty());
        parent.take(&mut [0; 16], 1, counting(&refills)).unwrap();
        let mut child = Buffer {
            bytes: parent.bytes.clone(),
            ..parent
        };
        let mut iv = [0; 16];
        child.take(&mut iv, 2, counting(&refills)).unwrap();
        assert_eq!(iv, [2; 16], "the parent's second IV would be all ones");
    }

    #[test]
    fn bytes_handed_out_are_wiped() {
        let (refills, mut buffer) = (Cell::new(0), Buffer::empty());
        buffer.take(&mut [0; 16], 1, counting(&refills)).unwrap();
        assert_eq!(buffer.bytes[..17], *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
    }

    #[test]
    fn failing_randomness_is_an_internal_error_and_nothing_is_handed_out() {
        let mut buffer = Buffer::empty();
        let failing = |_: &mut [u8]| Err(Error::internal("no randomness"));
        let mut iv = [0; 16];
        assert!(buffer.take(&mut iv, 1, failing).unwrap_err().is_internal());
        // Nor is the half-filled buffer used by the next caller.
        assert!(buffer.take(&mut iv, 1, failing).unwrap_err().is_internal());
        assert_eq!(iv, [0; 16]);
    }
}
