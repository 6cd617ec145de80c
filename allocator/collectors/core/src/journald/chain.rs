//! Which entries of a file belong to some units: by the file's own index, not by reading it all.
//!
//! Each value of a field is stored once, and heads a chain of arrays that name the entries with it.
//! Invariants: a chain goes forward in the file, so that it ends; the values of a field are chained
//! backward, newest first, so that only new ones are looked at again; offsets come out in order, and
//! none that comes later is before one that came out.
//! Not here: what is in an entry.

use super::payload::{Data, Payload, data};
use super::{Bytes, Header, JournaldError, Kind, damaged, object, u32_at, u64_at};

/// More bytes of buckets has no table of field names: systemd makes 333 of 16 bytes.
const MAX_TABLE_BYTES: usize = 256 * 1024;
/// Arrays double in size, so that this many are more than a file can have.
const MAX_ARRAYS: usize = 4096;
/// Values of one field that are looked at: units, of which a machine may make many.
const MAX_VALUES: usize = 262_144;
/// Field names in one bucket.
const MAX_IN_BUCKET: usize = 1024;
const ARRAY_HEAD: usize = 24;
/// Slots of an array that are read at once.
const SLOTS: usize = 512;

/// The entries of units: what they wrote, and what the system's manager wrote about them.
#[derive(Debug, Clone)]
pub struct Units {
    names: Vec<String>,
    fields: [Lookup; 2],
}

/// One field that names units.
#[derive(Debug, Clone)]
struct Lookup {
    name: &'static str,
    /// Anybody may write the field; what the manager wrote has this one too.
    needs: Option<(&'static str, &'static str)>,
    /// Where its FIELD object is, once found.
    object: Option<u64>,
    /// The newest value that was looked at.
    newest: u64,
    /// DATA objects of values that are wanted.
    values: Vec<u64>,
}

impl Lookup {
    fn new(name: &'static str, needs: Option<(&'static str, &'static str)>) -> Self {
        Self {
            name,
            needs,
            object: None,
            newest: 0,
            values: Vec::new(),
        }
    }
}

impl Units {
    /// Units by their names, as `docker.service`. The state is one file's.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            fields: [
                Lookup::new("_SYSTEMD_UNIT", None),
                Lookup::new("UNIT", Some(("_PID", "1"))),
            ],
        }
    }

    /// The offsets of entries behind `after`, in order, at most `most` of each kind: whether more
    /// are there is known by asking again. `after` 0 begins at the beginning.
    ///
    /// # Errors
    /// When the file's index is damaged.
    pub fn entries_after(
        &mut self,
        file: &(impl Bytes + ?Sized),
        header: &Header,
        after: u64,
        most: usize,
    ) -> Result<Vec<Found>, JournaldError> {
        let mut found = Vec::new();
        for lookup in &mut self.fields {
            lookup.refresh(file, header, &self.names)?;
            for value in &lookup.values {
                let value = data(file, header, *value)?;
                let offsets = entries_of(file, header, &value, after, most)?;
                found.extend(offsets.into_iter().map(|offset| Found {
                    offset,
                    needs: lookup.needs,
                }));
            }
        }
        found.sort_by_key(|found| (found.offset, found.needs.is_some()));
        found.dedup_by_key(|found| found.offset);
        // One chain was read before the other: of what came meanwhile, a later entry may be seen
        // without an earlier one.
        found.retain(|found| found.offset <= header.tail_object);
        found.truncate(most);
        Ok(found)
    }
}

/// An entry that may be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub offset: u64,
    /// The field and its value without which it is somebody's who only says so.
    pub needs: Option<(&'static str, &'static str)>,
}

/// The offsets of all entries behind `after`, in order, at most `most`.
///
/// # Errors
/// When the file's index is damaged.
pub fn all_after(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    after: u64,
    most: usize,
) -> Result<Vec<u64>, JournaldError> {
    let mut found = Vec::new();
    chain(
        file,
        header,
        header.entry_array,
        header.entries,
        after,
        most,
        &mut found,
    )?;
    Ok(found)
}

impl Lookup {
    /// Looks at the values that came since the last time.
    fn refresh(
        &mut self,
        file: &(impl Bytes + ?Sized),
        header: &Header,
        names: &[String],
    ) -> Result<(), JournaldError> {
        if self.object.is_none() {
            self.object = field_object(file, header, self.name)?;
        }
        let Some(field) = self.object else {
            return Ok(());
        };
        let mut raw = [0; 40];
        let read = file.read_at(field, &mut raw);
        object(&raw[..read], field, Kind::Field, raw.len())?;
        let newest = u64_at(&raw, 32);
        let (mut at, mut before) = (newest, u64::MAX);
        let mut wanted = Vec::new();
        for _ in 0..MAX_VALUES {
            if at == 0 || at == self.newest {
                break;
            }
            if at >= before {
                return Err(damaged(at, "the values of a field go round"));
            }
            before = at;
            let value = data(file, header, at)?;
            if self.is_wanted(&value, names) {
                wanted.push(at);
            }
            at = value.next_of_field;
        }
        self.values.extend(wanted);
        self.newest = newest;
        Ok(())
    }

    fn is_wanted(&self, value: &Data, names: &[String]) -> bool {
        let Payload::Whole(payload) = &value.payload else {
            return false;
        };
        payload
            .strip_prefix(self.name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|unit| names.iter().any(|name| name.as_bytes() == unit))
    }
}

/// Where the FIELD object of a name is. All buckets are looked at: there are few, and their hash
/// need not be known.
fn field_object(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    name: &str,
) -> Result<Option<u64>, JournaldError> {
    let (offset, bytes) = header.field_table;
    let bytes = usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= MAX_TABLE_BYTES);
    let Some(bytes) = bytes else {
        return Err(damaged(offset, "its table of fields is too large"));
    };
    let mut table = vec![0; bytes];
    if file.read_at(offset, &mut table) < bytes {
        return Err(damaged(offset, "its table of fields ends early"));
    }
    let mut raw = [0; 40 + 64];
    let wanted = &mut raw[..40 + name.len().min(64)];
    for bucket in table.chunks_exact(16) {
        let (mut at, mut before) = (u64_at(bucket, 0), 0);
        for _ in 0..MAX_IN_BUCKET {
            if at == 0 {
                break;
            }
            if at <= before {
                return Err(damaged(at, "the names of fields go round"));
            }
            before = at;
            let read = file.read_at(at, wanted);
            let (_, size) = object(&wanted[..read], at, Kind::Field, 40)?;
            let is_name = size == wanted.len() as u64 && wanted[40..].starts_with(name.as_bytes());
            if is_name && read == wanted.len() {
                return Ok(Some(at));
            }
            at = u64_at(wanted, 24);
        }
    }
    Ok(None)
}

/// The entries that have a value: the first stands in the value itself, the others in its chain.
fn entries_of(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    value: &Data,
    after: u64,
    most: usize,
) -> Result<Vec<u64>, JournaldError> {
    let mut found = Vec::new();
    if value.entries == 0 || most == 0 {
        return Ok(found);
    }
    if value.first_entry > after {
        found.push(value.first_entry);
    }
    let after = after.max(value.first_entry);
    let others = value.entries - 1;
    chain(
        file,
        header,
        value.entry_array,
        others,
        after,
        most,
        &mut found,
    )?;
    Ok(found)
}

/// Follows a chain of arrays with `count` entries and takes those behind `after`, until `most` are
/// taken.
fn chain(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    first: u64,
    mut count: u64,
    after: u64,
    most: usize,
    found: &mut Vec<u64>,
) -> Result<(), JournaldError> {
    let slot_bytes = if header.is_compact { 4 } else { 8 };
    let (mut at, mut before) = (first, 0);
    for _ in 0..MAX_ARRAYS {
        if at == 0 || count == 0 || found.len() >= most {
            return Ok(());
        }
        if at <= before {
            return Err(damaged(at, "a chain of entries goes round"));
        }
        before = at;
        let mut head = [0; ARRAY_HEAD];
        let read = file.read_at(at, &mut head);
        let (_, bytes) = object(&head[..read], at, Kind::EntryArray, ARRAY_HEAD)?;
        let used = ((bytes - ARRAY_HEAD as u64) / slot_bytes).min(count);
        let array = Array {
            file,
            slots: at.saturating_add(ARRAY_HEAD as u64),
            slot_bytes,
        };
        array.take(used, after, most, found)?;
        count -= used;
        at = u64_at(&head, 16);
    }
    Err(damaged(at, "a chain of entries is too long"))
}

/// An array's slots.
struct Array<'a, F: ?Sized> {
    file: &'a F,
    slots: u64,
    slot_bytes: u64,
}

impl<F: Bytes + ?Sized> Array<'_, F> {
    fn place(&self, index: u64) -> u64 {
        self.slots
            .saturating_add(index.saturating_mul(self.slot_bytes))
    }

    fn value(&self, raw: &[u8], index: usize) -> u64 {
        if self.slot_bytes == 4 {
            u64::from(u32_at(raw, index * 4))
        } else {
            u64_at(raw, index * 8)
        }
    }

    /// A slot; one that is not written yet is behind all others.
    fn slot(&self, index: u64) -> u64 {
        let mut raw = [0; 8];
        let wanted = &mut raw[..if self.slot_bytes == 4 { 4 } else { 8 }];
        let read = self.file.read_at(self.place(index), wanted);
        match self.value(&wanted[..read], 0) {
            0 => u64::MAX,
            value => value,
        }
    }

    fn take(
        &self,
        used: u64,
        after: u64,
        most: usize,
        found: &mut Vec<u64>,
    ) -> Result<(), JournaldError> {
        if used == 0 || self.slot(used - 1) <= after {
            return Ok(());
        }
        let (mut low, mut high) = (0, used - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.slot(middle) <= after {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut raw = [0; SLOTS * 8];
        let mut last = found.last().copied().unwrap_or(after);
        while low < used && found.len() < most {
            let wanted = usize::try_from(used - low).unwrap_or(SLOTS).min(SLOTS);
            let bytes = wanted * if self.slot_bytes == 4 { 4 } else { 8 };
            let read = self.file.read_at(self.place(low), &mut raw[..bytes]);
            if read < bytes {
                return Err(damaged(self.slots, "an array of entries ends early"));
            }
            for index in 0..wanted.min(most - found.len()) {
                match self.value(&raw[..read], index) {
                    // Named but not written yet: the writer is at it.
                    0 => return Ok(()),
                    value if value <= last => {
                        return Err(damaged(self.slots, "entries are out of order"));
                    }
                    value => {
                        found.push(value);
                        last = value;
                    }
                }
            }
            low += wanted as u64;
        }
        Ok(())
    }
}
