//! Which words of a text a query asks for.
//!
//! Invariants: clauses that must not match mark nothing; words of a phrase are marked where the phrase stands, unless the
//! query asks for them alone as well. Not here: fragments, scores.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use super::text::Content;
use crate::query::{FieldInfo, Plan, TermTest};

/// What a query wants of one field, or of all when fields need not match.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Words, with the factor of their clause.
    terms: BTreeMap<String, f32>,
    /// Tests that count as one word each, with their factor.
    sets: Vec<(Vec<TermTest>, f32)>,
    phrases: Vec<Phrase>,
}

#[derive(Clone, Debug)]
struct Phrase {
    words: Vec<TermTest>,
    slop: u32,
    factor: f32,
}

/// A word to be marked.
pub(super) struct Mark {
    /// UTF-16 units.
    pub(super) place: Range<usize>,
    /// Words with one number count as one.
    pub(super) term: usize,
    /// How often it occurs in the text.
    pub(super) count: i32,
}

/// A word of a text with what a plain fragment gives for it.
pub(super) struct Scored {
    pub(super) place: Range<usize>,
    pub(super) word: String,
    /// None: not marked.
    pub(super) score: f32,
    /// Phrases that its term belongs to, as first and last position.
    pub(super) spans: Vec<(u32, u32)>,
}

struct Word {
    text: String,
    place: Range<usize>,
    position: u32,
}

impl Wanted {
    /// Of the clauses of a plan on the field, or of all.
    pub(super) fn of(plan: &Plan, field: Option<&str>) -> Self {
        let mut wanted = Self::default();
        wanted.add(plan, field, 1.0);
        wanted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.sets.is_empty() && self.phrases.is_empty()
    }

    fn add(&mut self, plan: &Plan, field: Option<&str>, factor: f32) {
        let here = |path: &str| field.is_none_or(|field| field == path);
        match plan {
            Plan::Bool {
                must,
                filter,
                should,
                boost,
                ..
            } => {
                for inner in must.iter().chain(should).chain(filter) {
                    self.add(inner, field, factor * boost);
                }
            }
            Plan::Constant(inner, boost) => match inner.as_ref() {
                // Several terms of one `terms` query.
                Plan::Words(text, tests, ..) if tests.len() > 1 && here(&text.path) => {
                    self.sets.push((tests.clone(), factor * boost));
                }
                inner => self.add(inner, field, factor * boost),
            },
            Plan::Best(all, _, boost) => {
                for inner in all {
                    self.add(inner, field, factor * boost);
                }
            }
            Plan::Words(text, tests, _, boost) if here(&text.path) => {
                for test in tests {
                    self.add_test(test, factor * boost);
                }
            }
            Plan::Phrase(text, words, slop, boost) if here(&text.path) => {
                self.phrases.push(Phrase {
                    words: words.clone(),
                    slop: *slop,
                    factor: factor * boost,
                });
            }
            Plan::Terms(path, terms, _, boost) if here(path) => match terms.as_slice() {
                [one] => self.add_test(&TermTest::Is(one.clone()), factor * boost),
                many => {
                    let tests = many.iter().cloned().map(TermTest::Is).collect();
                    self.sets.push((tests, factor * boost));
                }
            },
            Plan::TermsBy(path, test, boost) if here(path) => self.add_test(test, factor * boost),
            _ => {}
        }
    }

    fn add_test(&mut self, test: &TermTest, factor: f32) {
        match test {
            TermTest::Is(term) => {
                self.terms.insert(term.clone(), factor);
            }
            other => self.sets.push((vec![other.clone()], factor)),
        }
    }

    fn wants(&self, word: &str) -> bool {
        let passes = |tests: &[TermTest]| tests.iter().any(|test| test.accepts(word));
        self.terms.contains_key(word)
            || self.sets.iter().any(|(tests, _)| passes(tests))
            || self.phrases.iter().any(|phrase| passes(&phrase.words))
    }

    fn words(&self, content: &Content, info: &FieldInfo, limit: Option<usize>) -> Vec<Word> {
        let mut words = Vec::new();
        content.words(info, limit, |word, place, position| {
            if self.wants(word) {
                words.push(Word {
                    text: word.to_owned(),
                    place,
                    position,
                });
            }
        });
        words
    }

    /// What is marked, in the order of the text.
    pub(super) fn marks(
        &self,
        content: &Content,
        info: &FieldInfo,
        limit: Option<usize>,
    ) -> Vec<Mark> {
        let words = self.words(content, info, limit);
        let terms: Vec<&String> = self.terms.keys().collect();
        let mut counts: HashMap<&str, i32> = HashMap::new();
        for word in &words {
            *counts.entry(&word.text).or_default() += 1;
        }
        // Numbers of what is marked: terms, tests, then words of phrases.
        let mut marks: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
        let mut counted: HashMap<usize, i32> = HashMap::new();
        for word in &words {
            if let Ok(term) = terms.binary_search(&&word.text) {
                marks.insert((word.place.start, word.place.end, term));
                counted.insert(term, counts[word.text.as_str()]);
            }
            for (at, (tests, _)) in self.sets.iter().enumerate() {
                if tests.iter().any(|test| test.accepts(&word.text)) {
                    let term = terms.len() + at;
                    marks.insert((word.place.start, word.place.end, term));
                    *counted.entry(term).or_default() += 1;
                }
            }
        }
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for phrase in &self.phrases {
            for at in phrase.places(&words).iter().flatten() {
                let word = &words[*at];
                if self.terms.contains_key(&word.text) {
                    continue;
                }
                let next = terms.len() + self.sets.len() + numbers.len();
                let term = *numbers.entry(&word.text).or_insert(next);
                marks.insert((word.place.start, word.place.end, term));
                counted.insert(term, counts[word.text.as_str()]);
            }
        }
        marks
            .into_iter()
            .map(|(start, end, term)| Mark {
                place: start..end,
                term,
                count: counted[&term],
            })
            .collect()
    }

    /// Every word of a text with its score; none where no phrase stands.
    pub(super) fn scored(&self, content: &Content, info: &FieldInfo) -> Vec<Scored> {
        let known = self.words(content, info, None);
        let mut spans: Vec<Vec<(u32, u32)>> = Vec::with_capacity(self.phrases.len());
        for phrase in &self.phrases {
            let around = |at: &Vec<usize>| {
                let positions = || at.iter().map(|at| known[*at].position);
                (
                    positions().min().unwrap_or(0),
                    positions().max().unwrap_or(0),
                )
            };
            spans.push(phrase.places(&known).iter().map(around).collect());
        }
        let mut all = Vec::new();
        content.words(info, None, |word, place, position| {
            let passes = |tests: &[TermTest]| tests.iter().any(|test| test.accepts(word));
            let alone = self.terms.get(word).copied().or_else(|| {
                let set = self.sets.iter().find(|(tests, _)| passes(tests));
                set.map(|(_, factor)| *factor)
            });
            let (mut own, mut within) = (Vec::new(), None);
            for (phrase, spans) in self.phrases.iter().zip(&spans) {
                if passes(&phrase.words) {
                    own.extend_from_slice(spans);
                    if spans.iter().any(|(a, b)| (*a..=*b).contains(&position)) {
                        within = within.or(Some(phrase.factor));
                    }
                }
            }
            all.push(Scored {
                place,
                word: word.to_owned(),
                score: alone.or(within).unwrap_or(0.0),
                spans: own,
            });
        });
        all
    }
}

impl Phrase {
    /// Where the phrase stands: for each place the words, as numbers in `words`.
    fn places(&self, words: &[Word]) -> Vec<Vec<usize>> {
        let lists: Vec<Vec<usize>> = self
            .words
            .iter()
            .map(|test| {
                let passes = |at: &usize| test.accepts(&words[*at].text);
                (0..words.len()).filter(passes).collect()
            })
            .collect();
        if lists.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        let position = |at: usize| words[at].position;
        if self.slop == 0 {
            let follow = |first: &usize| {
                lists
                    .iter()
                    .zip(position(*first)..)
                    .map(|(list, wanted)| {
                        let at = list.binary_search_by_key(&wanted, |at| position(*at));
                        at.ok().map(|at| list[at])
                    })
                    .collect::<Option<Vec<usize>>>()
            };
            return lists[0].iter().filter_map(follow).collect();
        }
        // In any order: the window over one of each, of which the first is moved on.
        let mut at = vec![0usize; lists.len()];
        let mut found = Vec::new();
        loop {
            let window: Vec<usize> = lists.iter().zip(&at).map(|(list, at)| list[*at]).collect();
            let Some(first) = (0..window.len()).min_by_key(|i| position(window[*i])) else {
                break;
            };
            let last = window.iter().map(|at| position(*at)).max().unwrap_or(0);
            let spread = (last + 1 - position(window[first])) as usize;
            if spread <= window.len() + self.slop as usize {
                found.push(window);
            }
            at[first] += 1;
            if at[first] >= lists[first].len() {
                break;
            }
        }
        found
    }
}
