//! Who asks, and what they may: the one place where that is decided.

use crate::AdminError;
use address::Address;
use std::fmt;

/// Who wants something done. Whoever makes one has made sure of who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Who owns the machine or the data: the command line, over the control socket or on the data itself.
    Root,
    /// Somebody who has logged in as an administrator.
    Administrator(String),
    /// Somebody with a mailbox here, for what is theirs.
    Account(Address),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Administrator(name) => write!(f, "administrator {name}"),
            Self::Account(address) => write!(f, "account {address}"),
        }
    }
}

/// Who may do an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It concerns more than one account.
    Administrators,
    /// It concerns this account alone, so its owner may too.
    Owner(Address),
}

impl Access {
    /// # Errors
    /// [`AdminError::Denied`].
    pub(crate) fn check(&self, actor: &Actor) -> Result<(), AdminError> {
        let allowed = match (actor, self) {
            (Actor::Root | Actor::Administrator(_), _) => true,
            (Actor::Account(_), Self::Administrators) => false,
            (Actor::Account(own), Self::Owner(owner)) => own.folded() == owner.folded(),
        };
        if allowed { Ok(()) } else { Err(AdminError::Denied(format!("{actor} may not do that"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_do_what_concerns_it_alone() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        let (me, other) = (address("me@example.org"), address("you@example.org"));
        let check = |actor: &Actor, access: &Access, expected: bool| {
            assert_eq!(access.check(actor).is_ok(), expected, "{actor} {access:?}");
        };
        for actor in [Actor::Root, Actor::Administrator("ada".into())] {
            check(&actor, &Access::Administrators, true);
            check(&actor, &Access::Owner(me.clone()), true);
        }
        let actor = Actor::Account(address("Me@example.org"));
        check(&actor, &Access::Owner(me), true);
        check(&actor, &Access::Owner(other), false);
        check(&actor, &Access::Administrators, false);
    }
}
