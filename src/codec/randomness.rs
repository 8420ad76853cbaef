//! Random bytes for keys and IVs, from the operating system, directly or buffered.
//!
//! If the operating system fails, the result is an error, never a weaker cookie. There is no
//! generator here: the buffer only saves system calls.

use std::cell::RefCell;

use zeroize::{Zeroize, Zeroizing};

use super::Error;

/// The bytes of one refill: 32 IVs. A small buffer limits how many future IVs lie in memory.
const BUFFER: usize = 512;

/// Fills `bytes` from the operating system.
pub(super) fn fill_from_system(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        Error::internal("the operating system has no randomness").with_source(error)
    })
}

/// The source of the IV of each sealed cookie.
#[derive(Clone, Copy, Debug)]
pub(super) enum IvSource {
    /// One system call for each IV.
    System,
    /// One system call for many IVs, which each thread buffers.
    Buffered,
    /// A fixed IV, for byte-exact tests. The public API cannot select it.
    #[cfg(test)]
    Fixed([u8; 16]),
}

impl IvSource {
    pub(super) fn fill(self, iv: &mut [u8]) -> Result<(), Error> {
        match self {
            IvSource::System => fill_from_system(iv),
            IvSource::Buffered => {
                let process = std::process::id();
                // Only a thread that is ending has no buffer.
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

/// Unused random bytes, and the ID of the process that drew them.
///
/// A forked child has a copy of its parent's buffer. Two cookies under one IV reveal the XOR
/// of their plaintexts. Therefore the child discards the copy: its process ID differs.
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

    /// Moves unused bytes to `wanted`, and wipes them in the buffer.
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

    /// Returns a source that fills the n-th refill with bytes `n`.
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
        for _ in 0..BUFFER / 16 {
            buffer.take(&mut [0; 16], 1, counting(&refills)).unwrap();
        }
        assert_eq!(refills.get(), 2);
    }

    #[test]
    fn a_forked_child_never_uses_its_parents_bytes() {
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
    fn used_bytes_are_wiped() {
        let (refills, mut buffer) = (Cell::new(0), Buffer::empty());
        buffer.take(&mut [0; 16], 1, counting(&refills)).unwrap();
        assert_eq!(buffer.bytes[..17], *b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
    }

    #[test]
    fn failing_randomness_is_an_internal_error_and_yields_no_bytes() {
        let mut buffer = Buffer::empty();
        let failing = |_: &mut [u8]| Err(Error::internal("no randomness"));
        let mut iv = [0; 16];
        assert!(buffer.take(&mut iv, 1, failing).unwrap_err().is_internal());
        // The next caller does not use the half-filled buffer either.
        assert!(buffer.take(&mut iv, 1, failing).unwrap_err().is_internal());
        assert_eq!(iv, [0; 16]);
    }
}
