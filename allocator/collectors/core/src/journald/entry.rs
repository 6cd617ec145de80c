//! An ENTRY object with the fields that it binds together.
//!
//! Invariants: fields come in the order in which the entry names them; a field that cannot be read
//! leaves a reason behind and the others in place; an entry has a limited number of fields and bytes.
//! Not here: which entries are wanted.

use super::payload::{Payload, data};
use super::{Bytes, Header, JournaldError, Kind, id_at, object, u32_at, u64_at};

/// As many fields as systemd itself takes.
const MAX_FIELDS: usize = 1024;
/// The most bytes of all fields together.
const MAX_ENTRY_BYTES: usize = 4 * 1024 * 1024;
const HEAD: usize = 64;

/// One field. Names may come more than once in an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As `MESSAGE`, or `_PID` for what the journal itself found out.
    pub name: String,
    /// Any bytes; mostly text.
    pub value: Vec<u8>,
    /// It is longer; this is its start.
    pub is_cut: bool,
}

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in its file; entries behind it have larger ones.
    pub offset: u64,
    /// Its number in the writer's numbering.
    pub seqnum: u64,
    /// When it was written, in microseconds since the epoch.
    pub realtime_us: u64,
    /// The same since the start of the machine.
    pub monotonic_us: u64,
    /// Which start.
    pub boot_id: [u8; 16],
    /// Stands for its content.
    pub xor_hash: u64,
    /// What it says.
    pub fields: Vec<Field>,
    /// Why some of its fields are not here, in the order in which they would come.
    pub unread: Vec<&'static str>,
}

impl Entry {
    /// The first value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The same as text, where it is some.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(&self.get(name)?.value).ok()
    }
}

/// Reads the entry at an offset.
///
/// # Errors
/// When no entry is there. A damaged field is no error: it is among [`Entry::unread`].
pub fn entry(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    offset: u64,
) -> Result<Entry, JournaldError> {
    let mut head = [0; HEAD];
    let read = file.read_at(offset, &mut head);
    let (_, bytes) = object(&head[..read], offset, Kind::Entry, HEAD)?;
    let item = if header.is_compact { 4 } else { 16 };
    let items = usize::try_from((bytes - HEAD as u64) / item as u64).unwrap_or(MAX_FIELDS);
    let mut entry = Entry {
        offset,
        seqnum: u64_at(&head, 16),
        realtime_us: u64_at(&head, 24),
        monotonic_us: u64_at(&head, 32),
        boot_id: id_at(&head, 40),
        xor_hash: u64_at(&head, 56),
        ..Entry::default()
    };
    let mut raw = vec![0; items.min(MAX_FIELDS) * item];
    let read = file.read_at(offset + HEAD as u64, &mut raw);
    if read < raw.len() {
        entry.unread.push("the entry ends early");
    }
    if items > MAX_FIELDS {
        entry.unread.push("the entry has too many fields");
    }
    let mut total = 0;
    for item in raw[..read].chunks_exact(item) {
        let at = if header.is_compact {
            u64::from(u32_at(item, 0))
        } else {
            u64_at(item, 0)
        };
        let (payload, is_cut) = match data(file, header, at).map(|data| data.payload) {
            Ok(Payload::Whole(bytes)) => (bytes, false),
            Ok(Payload::Cut(bytes)) => (bytes, true),
            Ok(Payload::Unread(why)) => {
                entry.unread.push(why);
                continue;
            }
            Err(_) => {
                entry.unread.push("a field is damaged");
                continue;
            }
        };
        total += payload.len();
        if total > MAX_ENTRY_BYTES {
            entry.unread.push("the entry is larger than what is read");
            break;
        }
        match split(payload) {
            Some((name, value)) => entry.fields.push(Field {
                name,
                value,
                is_cut,
            }),
            None => entry.unread.push("a field has no name"),
        }
    }
    Ok(entry)
}

/// `NAME=value` into both.
fn split(mut payload: Vec<u8>) -> Option<(String, Vec<u8>)> {
    let at = payload.iter().position(|byte| *byte == b'=')?;
    let value = payload.split_off(at + 1);
    payload.pop();
    let is_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    if payload.is_empty() || !payload.iter().all(is_name) {
        return None;
    }
    Some((String::from_utf8(payload).ok()?, value))
}
