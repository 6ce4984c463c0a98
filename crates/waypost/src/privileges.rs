//! Giving up root: the one place where the process changes its user.
//!
//! The C library changes the user of all threads together, so that `serve` can do it when its ports are open.

use crate::exit::Failure;
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setgid, setuid};
use std::ffi::CString;
use std::path::Path;

/// Becomes `user` for good, with that user's groups, when the process is root; otherwise does nothing: whoever is
/// not root has no rights to give up. `None` (no `user` in the configuration) changes nothing.
///
/// # Errors
/// There is no such user, or the system refuses. Then nothing may go on, lest files become root's.
pub fn become_user(user: Option<&str>) -> Result<(), Failure> {
    let Some(name) = user.filter(|_| geteuid().is_root()) else { return Ok(()) };
    let found = User::from_name(name).map_err(|error| refused(name, "looking it up", error))?;
    let Some(found) = found else {
        let text = format!(
            "there is no user {name:?} on this machine: make it, or change `user` in the configuration"
        );
        return Err(Failure::no(text));
    };
    if found.uid.is_root() {
        return Ok(());
    }
    change(name, found.uid, found.gid)
}

/// As [`become_user`], but all files can still be read, whosoever they are: for what another program's users own. Only what
/// reads and ends may do this; threads started afterwards can too.
///
/// # Errors
/// As [`become_user`].
pub fn become_reader(user: Option<&str>) -> Result<(), Failure> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities};
    if user.is_none() || !geteuid().is_root() {
        return Ok(());
    }
    // Where the system refuses, what cannot be read is told file by file.
    let kept = set_keep_capabilities(true).is_ok();
    become_user(user)?;
    if kept && !geteuid().is_root() {
        let reads = CapabilitySet::DAC_READ_SEARCH;
        let sets = CapabilitySets { effective: reads, permitted: reads, inheritable: CapabilitySet::empty() };
        let none = CapabilitySet::empty();
        let nothing = CapabilitySets { effective: none, permitted: none, inheritable: none };
        if set_capabilities(None, sets).is_err() && set_capabilities(None, nothing).is_err() {
            return Err(Failure::no("the system does not let root's rights be given up: not going on"));
        }
        let _ = set_keep_capabilities(false);
    }
    Ok(())
}

/// Whether the process is root and this user exists, so that it could become that user.
pub fn could_become(name: &str) -> bool {
    geteuid().is_root() && matches!(User::from_name(name), Ok(Some(_)))
}

/// Makes a directory if it is missing; one that root makes is the user's.
///
/// # Errors
/// It cannot be made, or not be given to the user.
pub fn make_for(path: &Path, user: Option<&str>) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(path)
        .map_err(|error| Failure::no(format!("cannot make {}: {error}", path.display())))?;
    give_to(path, user)
}

/// Makes what root has just made the user's own: a file, or a folder with all that is in it.
///
/// # Errors
/// The system refuses. A user that is not there is told by [`become_user`].
pub fn give_to(path: &Path, user: Option<&str>) -> Result<(), Failure> {
    let Some(name) = user.filter(|_| geteuid().is_root()) else { return Ok(()) };
    let Ok(Some(found)) = User::from_name(name) else { return Ok(()) };
    give(path, found.uid, found.gid)
        .map_err(|error| Failure::no(format!("{} cannot be given to {name}: {error}", path.display())))
}

fn give(path: &Path, uid: Uid, gid: Gid) -> std::io::Result<()> {
    std::os::unix::fs::lchown(path, Some(uid.as_raw()), Some(gid.as_raw()))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

fn change(name: &str, uid: Uid, gid: Gid) -> Result<(), Failure> {
    let text = CString::new(name).map_err(|_| Failure::no(format!("{name:?} is no user name")))?;
    // In this order: without root's rights the groups could not be changed any more.
    initgroups(&text, gid).map_err(|error| refused(name, "initgroups", error))?;
    setgid(gid).map_err(|error| refused(name, "setgid", error))?;
    setuid(uid).map_err(|error| refused(name, "setuid", error))?;
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(Failure::no(format!("the process became {name} but can still be root: not going on")));
    }
    Ok(())
}

fn refused(name: &str, what: &str, error: nix::Error) -> Failure {
    Failure::no(format!("cannot become the user {name}: {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes_without_a_user_and_nothing_goes_on_with_a_wrong_one() {
        let before = geteuid();
        assert!(become_user(None).is_ok());
        let stranger = become_user(Some("no-such-user-here"));
        if before.is_root() {
            assert!(stranger.unwrap_err().message.contains("no user \"no-such-user-here\""));
        } else {
            assert!(stranger.is_ok());
        }
        assert_eq!(geteuid(), before);
    }
}
