//! Owners and modes as POSIX has them.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use rustix::fs::{Access as Rights, AtFlags, CWD, accessat};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, getgroups};

use super::super::Error;
use super::another_users;

const ROOT: u32 = 0;

/// The parts of a mode: what the owner, the group and all others may do.
const OWNER: u32 = 0o700;
const GROUP: u32 = 0o070;
const OTHERS: u32 = 0o007;

/// What a group needs to share the files of a folder: to read and to write.
const SHARED: u32 = 0o060;

/// Files in a folder of this mode get the folder's group.
const SET_GROUP: u32 = 0o2000;

/// What a mode says of a file that is no program.
const FILE: u32 = 0o666;

/// The owner and the mode that the new files and folders of a store get.
///
/// They are those of the folder that the store is in, but that others than its owner and its
/// group never get in; the group does, where the folder's mode is closed to others (0770).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Access {
    /// `None` leaves the user who runs this program.
    user: Option<u32>,
    /// `None` leaves the group that the system chooses.
    group: Option<u32>,
    /// What the group may do, as bits of a folder's mode.
    group_bits: u32,
}

/// Whose a folder is, and who may do what in it.
#[derive(Clone, Copy)]
struct Folder {
    user: u32,
    group: u32,
    mode: u32,
}

/// Who runs this program.
struct Process {
    user: u32,
    groups: Vec<u32>,
}

impl From<Metadata> for Folder {
    fn from(found: Metadata) -> Self {
        Folder {
            user: found.uid(),
            group: found.gid(),
            mode: found.mode(),
        }
    }
}

impl Process {
    fn this() -> Self {
        let groups = getgroups().unwrap_or_default().into_iter();
        Process {
            user: geteuid().as_raw(),
            groups: groups
                .chain([getegid()])
                .map(|group| group.as_raw())
                .collect(),
        }
    }
}

impl Access {
    /// As the folder `store` has it, which a store of ours made for itself below `folder`; for
    /// a store that is still to be made, as `folder` has it.
    ///
    /// # Errors
    /// Unavailable, if the store belongs to another user, who could not read the new files.
    pub(in super::super) fn of(store: &Path, folder: &Path) -> Result<Self, Error> {
        let process = Process::this();
        if let Ok(found) = fs::metadata(store) {
            let access = Access::in_store(found.into(), &process);
            return access.ok_or_else(|| another_users(store));
        }
        Ok(match fs::metadata(folder) {
            Ok(found) => Access::below(found.into(), &process),
            Err(_) => Access::default(),
        })
    }

    /// `None`, if the owner of the store could not read what the process writes.
    fn in_store(store: Folder, process: &Process) -> Option<Self> {
        let access = Access::below(store, process);
        let is_shared = access.group_bits & SHARED == SHARED;
        let is_readable = [ROOT, store.user].contains(&process.user) || is_shared;
        is_readable.then_some(access)
    }

    fn below(folder: Folder, process: &Process) -> Self {
        let is_root = process.user == ROOT;
        let may_give = is_root || process.groups.contains(&folder.group);
        let group_bits = match folder.mode & OTHERS == 0 && may_give {
            true => folder.mode & (GROUP | SET_GROUP),
            false => 0,
        };
        let user = (is_root && folder.user != ROOT).then_some(folder.user);
        let is_given = user.is_some() || group_bits & GROUP != 0;
        Access {
            user,
            group: is_given.then_some(folder.group),
            group_bits,
        }
    }

    /// Whether the folder is there, and this program may make and find files in it.
    #[cfg(feature = "files")]
    pub(in super::super) fn check_folder(path: &Path) -> io::Result<()> {
        let all = Rights::READ_OK | Rights::WRITE_OK | Rights::EXEC_OK;
        may(path, all)?;
        Ok(())
    }

    /// Whether this program may read and write the file; as long as it is there.
    #[cfg(feature = "sqlite")]
    pub(in super::super) fn may_use_file(path: &Path) -> bool {
        may(path, Rights::READ_OK | Rights::WRITE_OK) != Err(Errno::ACCESS)
    }

    /// A file that was not there, to be written to.
    pub(in super::super) fn new_file(self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(OWNER & FILE);
        let file = file.open(path)?;
        match self.give(&file, (OWNER | self.group_bits) & FILE) {
            Ok(()) => Ok(file),
            Err(error) => {
                let _ = fs::remove_file(path);
                Err(error)
            }
        }
    }

    /// Makes a folder, and says whether it was missing. Anything else in its place is an error.
    /// So is a link, where this program acts for another user: whoever may make links there
    /// could lead it to any place.
    #[cfg(feature = "files")]
    pub(in super::super) fn make_folder(self, path: &Path) -> io::Result<bool> {
        if self.is_folder(path)? {
            return Ok(false);
        }
        let mut builder = fs::DirBuilder::new();
        let made = std::os::unix::fs::DirBuilderExt::mode(&mut builder, OWNER).create(path);
        match made {
            // Another process was first, and gives it what it is to have.
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && self.is_folder(path)? =>
            {
                return Ok(false);
            }
            made => made?,
        }
        self.give(&open_folder(path)?, OWNER | self.group_bits)?;
        Ok(true)
    }

    #[cfg(feature = "files")]
    fn is_folder(self, path: &Path) -> io::Result<bool> {
        let found = match self.user {
            Some(_) => fs::symlink_metadata(path),
            None => fs::metadata(path),
        };
        match found {
            Ok(found) if found.is_dir() => Ok(true),
            Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives what this program has made and nobody else had before: never by its path, which
    /// may lead to something else by now.
    fn give(self, file: &File, mode: u32) -> io::Result<()> {
        if self == Access::default() {
            return Ok(());
        }
        let found = file.metadata()?;
        let is_other = |wanted: Option<u32>, found| wanted.is_some_and(|wanted| wanted != found);
        if is_other(self.user, found.uid()) || is_other(self.group, found.gid()) {
            fchown(file, self.user, self.group)?;
        }
        file.set_permissions(Permissions::from_mode(mode))
    }
}

/// Whether the user who acts through this program has the rights.
fn may(path: &Path, rights: Rights) -> Result<(), Errno> {
    accessat(CWD, path, rights, AtFlags::EACCESS)
}

/// A folder itself, and not what a link in its place leads to.
#[cfg(feature = "files")]
fn open_folder(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The name of the user that a file belongs to; `None`, where that cannot be found out.
pub(super) fn owner_of(path: &Path) -> Option<String> {
    let user = fs::symlink_metadata(path).ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let number: u32 = fields.nth(1)?.parse().ok()?;
        (number == user).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("the user {user}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: u32 = 1_000;
    const APE: u32 = 1_001;
    const WEB: u32 = 2_000;

    fn folder(user: u32, mode: u32) -> Folder {
        let group = WEB;
        Folder { user, group, mode }
    }

    fn process(user: u32, groups: &[u32]) -> Process {
        let groups = groups.to_vec();
        Process { user, groups }
    }

    #[test]
    fn root_gives_what_it_makes_to_the_owner_of_the_store() {
        let root = process(ROOT, &[ROOT]);
        for (mode, group_bits) in [(0o700, 0), (0o750, 0o050), (0o2770, 0o2070), (0o755, 0)] {
            let expected = Access {
                user: Some(SHOP),
                group: Some(WEB),
                group_bits,
            };
            let access = Access::in_store(folder(SHOP, mode), &root);
            assert_eq!(access, Some(expected), "{mode:o}");
        }
    }

    #[test]
    fn another_user_writes_only_what_the_owner_can_read() {
        let (member, stranger) = (process(APE, &[WEB]), process(APE, &[APE]));
        for (mode, allowed) in [
            (0o770, true),
            (0o750, false),
            (0o700, false),
            (0o777, false),
        ] {
            let access = Access::in_store(folder(SHOP, mode), &member);
            assert_eq!(access.is_some(), allowed, "{mode:o}");
            assert_eq!(Access::in_store(folder(SHOP, mode), &stranger), None);
        }
        // In a folder of another user it may make a store of its own.
        let own = Access::below(folder(ROOT, 0o1777), &stranger);
        assert_eq!(own, Access::default());
    }

    #[test]
    fn a_group_gets_in_where_the_folder_is_its_own() {
        let shop = process(SHOP, &[SHOP, WEB]);
        let shared = Access::in_store(folder(SHOP, 0o770), &shop).unwrap();
        assert_eq!((shared.group, shared.group_bits), (Some(WEB), 0o070));
        // The folder of a group that the process cannot give anything to.
        let outside = process(SHOP, &[SHOP]);
        let own = Access::in_store(folder(SHOP, 0o770), &outside);
        assert_eq!(own, Some(Access::default()));
    }
}
