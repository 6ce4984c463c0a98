//! What ClientHello and ServerHello say in the clear (RFC 8446 §4.1, RFC 5246 §7.4.1).

/// The random of a ServerHello that asks the client to begin again (RFC 8446 §4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
const SERVER_NAME: u16 = 0;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientHello {
    pub(super) random: [u8; 32],
    /// SNI (RFC 6066 §3).
    pub(super) server_name: Option<String>,
    pub(super) early_data: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) random: [u8; 32],
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) is_retry: bool,
}

impl ClientHello {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = Cursor(body);
        rest.take(2)?;
        let random = *rest.take(32)?.first_chunk()?;
        rest.vector8()?;
        rest.vector16()?;
        rest.vector8()?;
        let mut hello = Self { random, server_name: None, early_data: false };
        // Extensions may be left out by an old client.
        let mut extensions = Cursor(rest.vector16().unwrap_or_default());
        while let Some((kind, value)) = extensions.extension() {
            match kind {
                SERVER_NAME => hello.server_name = server_name(value),
                EARLY_DATA => hello.early_data = true,
                _ => {}
            }
        }
        Some(hello)
    }
}

impl ServerHello {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut rest = Cursor(body);
        let mut version = rest.u16()?;
        let random = *rest.take(32)?.first_chunk()?;
        rest.vector8()?;
        let suite = rest.u16()?;
        rest.take(1)?;
        let mut extensions = Cursor(rest.vector16().unwrap_or_default());
        while let Some((kind, value)) = extensions.extension() {
            if kind == SUPPORTED_VERSIONS {
                version = Cursor(value).u16()?;
            }
        }
        Some(Self { random, version, suite, is_retry: random == RETRY })
    }
}

/// The first name of the list: type 0, length, name.
fn server_name(value: &[u8]) -> Option<String> {
    let mut list = Cursor(Cursor(value).vector16()?);
    let kind = list.take(1)?;
    let name = list.vector16()?;
    let plain = kind == [0] && name.iter().all(|octet| octet.is_ascii_graphic());
    plain.then(|| String::from_utf8_lossy(name).into_owned())
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|two| u16::from_be_bytes(*two))
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = *self.take(1)?.first()?;
        self.take(length.into())
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(length.into())
    }

    fn extension(&mut self) -> Option<(u16, &'a [u8])> {
        Some((self.u16()?, self.vector16()?))
    }
}
