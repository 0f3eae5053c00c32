//! A reader of the part of GBNF our grammars use: it draws random texts and tells whether a text is accepted.

use std::collections::{BTreeMap, BTreeSet};

/// One grammar, by rule name.
pub(crate) struct Gbnf {
    rules: BTreeMap<String, Node>,
}

enum Node {
    Literal(String),
    Class { negated: bool, ranges: Vec<(char, char)> },
    Rule(String),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat { node: Box<Node>, least: usize, most: usize },
}

/// Copies drawn where a repetition has no upper bound.
const UNBOUNDED_DRAW: usize = 60;

impl Gbnf {
    pub(crate) fn read(source: &str) -> Self {
        let rules = source.lines().map(|line| {
            let (name, body) = line.split_once(" ::= ").unwrap_or_else(|| panic!("no rule: {line}"));
            let mut reader = Reader { rest: body };
            let node = reader.choice();
            assert!(reader.rest.is_empty(), "left over in {name}: {}", reader.rest);
            (name.to_owned(), node)
        });
        let grammar = Self { rules: rules.collect() };
        assert!(grammar.rules.contains_key("root"), "no root");
        for node in grammar.rules.values() {
            grammar.check_names(node);
        }
        grammar
    }

    /// A random text; the same seed gives the same.
    pub(crate) fn generate(&self, seed: u64) -> String {
        let mut text = String::new();
        self.draw(&self.rules["root"], &mut Draw(seed), &mut text);
        text
    }

    pub(crate) fn accepts(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        self.ends(&self.rules["root"], &text, &BTreeSet::from([0])).contains(&text.len())
    }

    /// Rules after `{m,n}` is written out as an engine does: one more for every optional copy.
    pub(crate) fn spelled_out(&self) -> usize {
        self.rules.len() + self.rules.values().map(optional_copies).sum::<usize>()
    }

    fn check_names(&self, node: &Node) {
        match node {
            Node::Rule(name) => assert!(self.rules.contains_key(name), "no rule {name}"),
            Node::Sequence(all) | Node::Choice(all) => all.iter().for_each(|node| self.check_names(node)),
            Node::Repeat { node, .. } => self.check_names(node),
            Node::Literal(_) | Node::Class { .. } => {}
        }
    }

    fn draw(&self, node: &Node, random: &mut Draw, text: &mut String) {
        match node {
            Node::Literal(literal) => text.push_str(literal),
            Node::Class { negated, ranges } => text.push(draw_character(*negated, ranges, random)),
            Node::Rule(name) => self.draw(&self.rules[name], random, text),
            Node::Sequence(all) => all.iter().for_each(|node| self.draw(node, random, text)),
            Node::Choice(all) => self.draw(&all[random.below(all.len())], random, text),
            Node::Repeat { node, least, most } => {
                let spread = most.saturating_sub(*least).min(UNBOUNDED_DRAW.max(*least * 2));
                for _ in 0..least + random.below(spread + 1) {
                    self.draw(node, random, text);
                }
            }
        }
    }

    /// Where a match of `node` that begins at one of `starts` may end.
    fn ends(&self, node: &Node, text: &[char], starts: &BTreeSet<usize>) -> BTreeSet<usize> {
        match node {
            Node::Literal(literal) => {
                let literal: Vec<char> = literal.chars().collect();
                starts.iter().filter(|&&at| text[at..].starts_with(&literal)).map(|at| at + literal.len()).collect()
            }
            Node::Class { negated, ranges } => {
                let fits = |at: &&usize| text.get(**at).is_some_and(|&c| within(c, ranges) != *negated);
                starts.iter().filter(fits).map(|at| at + 1).collect()
            }
            Node::Rule(name) => self.ends(&self.rules[name], text, starts),
            Node::Sequence(all) => all.iter().fold(starts.clone(), |starts, node| self.ends(node, text, &starts)),
            Node::Choice(all) => all.iter().flat_map(|node| self.ends(node, text, starts)).collect(),
            Node::Repeat { node, least, most } => {
                let mut current = starts.clone();
                let mut reached = if *least == 0 { starts.clone() } else { BTreeSet::new() };
                for copy in 1..=*most {
                    current = self.ends(node, text, &current);
                    if current.is_empty() {
                        break;
                    }
                    if copy >= *least {
                        reached.extend(&current);
                    }
                }
                reached
            }
        }
    }
}

fn optional_copies(node: &Node) -> usize {
    match node {
        Node::Literal(_) | Node::Class { .. } | Node::Rule(_) => 0,
        Node::Sequence(all) | Node::Choice(all) => all.iter().map(optional_copies).sum(),
        Node::Repeat { node, least, most } => {
            let copies = if *most == usize::MAX { 1 } else { most - least };
            copies + optional_copies(node)
        }
    }
}

fn within(character: char, ranges: &[(char, char)]) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// Mostly what makes parsers stumble.
fn draw_character(negated: bool, ranges: &[(char, char)], random: &mut Draw) -> char {
    const CANDIDATES: &[char] = &[
        'a', 'e', 'S', 'c', 'o', 'r', 'B', '1', '9', ' ', ' ', '.', ':', '*', '/', '[', ']', '(', '-', '"', '\n', '<',
        '>', '`', '_', '=', 'é', '文', '：', '\u{200b}', '\u{202e}', '😀', '\0', '\r',
    ];
    for _ in 0..200 {
        let candidate = CANDIDATES[random.below(CANDIDATES.len())];
        if within(candidate, ranges) != negated {
            return candidate;
        }
    }
    assert!(!negated, "no candidate fits");
    ranges[random.below(ranges.len())].0
}

/// `SplitMix64`.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn choice(&mut self) -> Node {
        let mut all = vec![self.sequence()];
        while self.take('|') {
            all.push(self.sequence());
        }
        if all.len() == 1 { all.swap_remove(0) } else { Node::Choice(all) }
    }

    fn sequence(&mut self) -> Node {
        let mut all = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.is_empty() || self.rest.starts_with(['|', ')']) {
                return Node::Sequence(all);
            }
            let node = self.atom();
            all.push(self.repeated(node));
        }
    }

    fn atom(&mut self) -> Node {
        if self.take('"') {
            return Node::Literal(self.until('"').into_iter().map(|(character, _)| character).collect());
        }
        if self.take('[') {
            return self.class();
        }
        if self.take('(') {
            let node = self.choice();
            assert!(self.take(')'), "unclosed group before {}", self.rest);
            return node;
        }
        let length = self.rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').count();
        assert!(length > 0, "cannot read {}", self.rest);
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        Node::Rule(name.to_owned())
    }

    fn class(&mut self) -> Node {
        let negated = self.take('^');
        let all = self.until(']');
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < all.len() {
            let is_range = all.get(at + 1) == Some(&('-', false)) && at + 2 < all.len();
            let last = if is_range { at + 2 } else { at };
            ranges.push((all[at].0, all[last].0));
            at = last + 1;
        }
        Node::Class { negated, ranges }
    }

    fn repeated(&mut self, node: Node) -> Node {
        let (least, most) = if self.take('*') {
            (0, usize::MAX)
        } else if self.take('+') {
            (1, usize::MAX)
        } else if self.take('?') {
            (0, 1)
        } else if self.take('{') {
            let (bounds, rest) = self.rest.split_once('}').expect("a closed repetition");
            self.rest = rest;
            let (least, most) = bounds.split_once(',').expect("two bounds");
            (least.parse().expect("a number"), most.parse().expect("a number"))
        } else {
            return node;
        };
        Node::Repeat { node: Box::new(node), least, most }
    }

    fn take(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Characters up to the closing one, each with whether it was escaped.
    fn until(&mut self, close: char) -> Vec<(char, bool)> {
        let mut all = Vec::new();
        let mut characters = self.rest.chars();
        loop {
            let character = characters.next().expect("a closed literal or class");
            if character == close {
                self.rest = characters.as_str();
                return all;
            }
            if character != '\\' {
                all.push((character, false));
                continue;
            }
            let escaped = match characters.next().expect("an escape") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                digits @ ('x' | 'u') => {
                    let length = if digits == 'x' { 2 } else { 4 };
                    let code: String = characters.by_ref().take(length).collect();
                    let code = u32::from_str_radix(&code, 16).expect("hex digits");
                    char::from_u32(code).expect("a character")
                }
                itself => itself,
            };
            all.push((escaped, true));
        }
    }
}
