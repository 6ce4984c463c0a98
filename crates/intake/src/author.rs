//! Who a submitted message says that it is from (RFC 6409 §6.1, RFC 5322 §3.6.2).

use crate::session::Session;
use address::{Address, ForwardPath};
use directory::Login;
use message::{Field, Header, parse_list};
use smtp::reply::Reply;

/// The fields that name who wrote and who sent it.
const FIELDS: [&str; 2] = ["From", "Sender"];

impl Session {
    /// Every author must belong to the account, and so must a sender who is named beside them. What cannot be read
    /// belongs to nobody: readers and servers behind us may make an address of it.
    pub(crate) fn refuse_foreign_author(&self, header: &Header<'_>) -> Result<(), (Reply, String)> {
        let Some(login) = self.login.as_ref().filter(|_| self.settings.check_sender) else { return Ok(()) };
        for name in FIELDS {
            header.all(name).try_for_each(|field| self.refuse_foreign_field(login, name, &field))?;
        }
        Ok(())
    }

    fn refuse_foreign_field(
        &self,
        login: &Login,
        name: &str,
        field: &Field<'_>,
    ) -> Result<(), (Reply, String)> {
        let addresses = readable(field).filter(|addresses| !addresses.is_empty()).ok_or_else(|| {
            let words =
                format!("{name}: names nobody whose address can be read, as in Name <user@example.org>");
            (Reply::new(550, (5, 7, 1), &words), words)
        })?;
        for address in addresses {
            let allowed = self.intake.directory.may_send_as(&login.account, &address);
            if !allowed.map_err(|error| self.unavailable_directory(&error))? {
                let words = format!("{name}: <{address}> does not belong to {}", login.account.address);
                return Err((Reply::new(550, (5, 7, 1), &words), words));
            }
        }
        Ok(())
    }
}

/// The authors as far as they can be read, of every From if there are more: nobody knows which a reader is shown.
pub(crate) fn authors(header: &Header<'_>) -> Vec<Address> {
    let listed = header.all("From").flat_map(|field| parse_list(&field.value()).unwrap_or_default());
    listed.filter_map(|listed| address(listed.path.ok()?)).collect()
}

/// The addresses of a field; `None` when some part of it is none.
fn readable(field: &Field<'_>) -> Option<Vec<Address>> {
    parse_list(&field.value()).ok()?.into_iter().map(|listed| address(listed.path.ok()?)).collect()
}

/// A name without a domain is no `addr-spec` (RFC 5322 §3.4.1).
fn address(path: ForwardPath) -> Option<Address> {
    match path {
        ForwardPath::Address(address) => Some(address),
        ForwardPath::Unqualified(_) => None,
    }
}
