//! Tests of the codecs: what was written is read, damage is an error.

use proptest::prelude::*;

use super::terms::{TextDictionaryWriter, TextIndex, scan_text_block};
use super::{CodecError, Reader, floats, ints, postings, put_varint, terms, unzigzag, zigzag};

#[test]
fn extreme_integers_come_back() {
    let values = vec![i64::MIN, i64::MAX, 0, -1, 1, i64::MIN, i64::MIN];
    let mut out = Vec::new();
    ints::encode(&mut out, &values);
    assert_eq!(ints::decode(&mut Reader::new(&out)).unwrap(), values);
}

#[test]
fn rising_timestamps_take_about_two_bytes() {
    let values: Vec<i64> = (0..10_000)
        .map(|i| 1_768_003_200_000 + i * 100 + i % 7)
        .collect();
    let mut out = Vec::new();
    ints::encode(&mut out, &values);
    assert!(out.len() < 20_000, "{}", out.len());
}

#[test]
fn decimals_are_stored_as_integers() {
    let values: Vec<f64> = (0..4096).map(|i| f64::from(i % 1000) / 1000.0).collect();
    let mut out = Vec::new();
    floats::encode(&mut out, &values);
    assert!(out.len() < 4096 * 2);
    assert_eq!(floats::decode(&mut Reader::new(&out)).unwrap(), values);
}

#[test]
fn a_text_dictionary_finds_each_term_and_its_list() {
    let words: Vec<String> = (0..20_000).map(|i| format!("term{i:06}")).collect();
    let mut writer = TextDictionaryWriter::new();
    let mut at = 0u64;
    let mut first = 0u64;
    for word in &words {
        writer.push(word.as_bytes(), 3);
        at += 3;
        if writer.maybe_close(first) {
            first = at;
        }
    }
    writer.close(first);
    let index = TextIndex::decode(&writer.index()).unwrap();
    assert!(index.blocks().len() > 3);
    for (n, word) in words.iter().enumerate() {
        let block = &index.blocks()[index.block_of(word.as_bytes()).unwrap()];
        let packed = &writer.blocks[block.offset as usize..block.offset as usize + block.len];
        let mut found = None;
        scan_text_block(packed, block.postings, |term, offset, len| {
            if term == word.as_bytes() {
                found = Some((offset, len));
            }
            found.is_none()
        })
        .unwrap();
        assert_eq!(found, Some((n as u64 * 3, 3)));
    }
    assert_eq!(index.block_of(b"aaa"), None);
}

proptest! {
    #[test]
    fn integers_round_trip(values in prop::collection::vec(any::<i64>(), 0..3000)) {
        let mut out = Vec::new();
        ints::encode(&mut out, &values);
        prop_assert_eq!(ints::decode(&mut Reader::new(&out)).unwrap(), values);
    }

    #[test]
    fn small_integers_round_trip(values in prop::collection::vec(0u32..5000, 0..3000)) {
        let mut out = Vec::new();
        ints::encode_u32(&mut out, &values);
        prop_assert_eq!(ints::decode_u32(&mut Reader::new(&out)).unwrap(), values);
    }

    #[test]
    fn floats_round_trip_bit_for_bit(bits in prop::collection::vec(any::<u64>(), 0..1500), decimals in prop::collection::vec(-100_000i64..100_000, 0..1500)) {
        let mut values: Vec<f64> = decimals.iter().map(|d| *d as f64 / 1000.0).collect();
        values.extend(bits.iter().map(|b| f64::from_bits(*b)));
        let mut out = Vec::new();
        floats::encode(&mut out, &values);
        let back: Vec<u64> = floats::decode(&mut Reader::new(&out)).unwrap().iter().map(|v| v.to_bits()).collect();
        prop_assert_eq!(back, values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }

    #[test]
    fn postings_round_trip(rows in prop::collection::btree_set(0u32..1_000_000, 0..400)) {
        let rows: Vec<u32> = rows.into_iter().collect();
        let mut out = Vec::new();
        postings::encode(&mut out, &rows);
        prop_assert_eq!(postings::decode(&mut Reader::new(&out), 1_000_000).unwrap(), rows);
    }

    #[test]
    fn dense_postings_round_trip(start in 0u32..1000, count in 0u32..3000) {
        let rows: Vec<u32> = (start..start + count).collect();
        let mut out = Vec::new();
        postings::encode(&mut out, &rows);
        prop_assert_eq!(postings::decode(&mut Reader::new(&out), 10_000).unwrap(), rows);
    }

    #[test]
    fn dictionaries_round_trip(words in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..20), 0..200)) {
        let words: Vec<Vec<u8>> = words.into_iter().collect();
        let mut out = Vec::new();
        terms::encode(&mut out, words.len(), words.iter().map(Vec::as_slice));
        let back = terms::decode(&mut Reader::new(&out)).unwrap();
        prop_assert_eq!(back.len(), words.len());
        for (n, word) in words.iter().enumerate() {
            prop_assert_eq!(back.get(n as u32), word.as_slice());
            prop_assert_eq!(back.find(word), Some(n as u32));
        }
    }

    #[test]
    fn damaged_bytes_are_an_error_or_values_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = ints::decode(&mut Reader::new(&bytes));
        let _ = floats::decode(&mut Reader::new(&bytes));
        let _ = postings::decode(&mut Reader::new(&bytes), 1000);
        let _ = terms::decode(&mut Reader::new(&bytes));
        let _ = TextIndex::decode(&bytes);
    }

    #[test]
    fn zigzag_and_varints_round_trip(value in any::<i64>()) {
        prop_assert_eq!(unzigzag(zigzag(value)), value);
        let mut out = Vec::new();
        put_varint(&mut out, zigzag(value));
        prop_assert_eq!(Reader::new(&out).varint(), Ok(zigzag(value)));
    }
}

#[test]
fn a_cut_column_says_so() {
    let mut out = Vec::new();
    ints::encode(&mut out, &[5; 2000]);
    out.truncate(4);
    assert!(matches!(
        ints::decode(&mut Reader::new(&out)),
        Err(CodecError(_))
    ));
}
