//! Wrong input: an error that says what, where and how to mend it; never a panic.

use crate::common;
use crate::common::{World, bar, gz, post, weekdays};
use proptest::prelude::*;
use serde_json::json;
use std::io::Write;
use zoo_core::{Config, DataFiles, DatasetFactory};
use zoo_data_market::{MarketFactory, read_posts, read_prices, read_workbook};

fn good() -> World {
    let mut world = World::new();
    let days = weekdays("2015-01-05", 15);
    world.prices("AA", &days.iter().map(|d| bar(*d)).collect::<Vec<_>>());
    world.posts("AA", &[post(days[3], 1, 0, "a"), post(days[12], 2, 1, "b")]);
    world
}

fn all_in(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn a_malformed_line_is_named() {
    let mut world = good();
    world.posts("AA", &[post(16_440, 1, 0, "a"), "{\"day\": \"2015-01-05\", ".into()]);
    all_in(&world.fails(), &["AA.jsonl.gz", "line 2", "expected an object with day, at, user, text and rep"]);
    world.posts("AA", &[post(16_440, 1, 0, "a").replace("\"user\"", "\"usr\"")]);
    all_in(&world.fails(), &["line 1", "usr"]);
}

#[test]
fn a_post_dated_in_the_future_is_refused() {
    let mut world = good();
    // Filed under a day before it was written.
    world.posts("AA", &[post(16_440, 1, 0, "a").replace("\"day\":\"2015-01-05\"", "\"day\":\"2015-01-04\"")]);
    all_in(&world.fails(), &["line 1", "dated in the future, 2015-01-05", "expected a post of 2015-01-04 or before"]);
    // Written long after the last price.
    let late = weekdays("2015-01-05", 15)[14] + 11;
    world.posts("AA", &[post(late, 1, 0, "a")]);
    all_in(&world.fails(), &["dated in the future", "the last price (2015-01-23)", "AA.csv"]);
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    let mut world = good();
    let path = world.add("tweets/AA.jsonl.gz");
    gz(&path, b"{\"day\": \"\xff\"}\n");
    all_in(&world.fails(), &["line 1, byte 10", "not UTF-8"]);
    let prices = world.add("price/AA.csv");
    std::fs::write(prices, b"Date,Open,High,Low,Close,Adj Close,Volume\n2015-01-05,\xff,1,1,1,1,1\n").unwrap();
    all_in(&world.fails(), &["AA.csv", "line 2", "not UTF-8"]);
}

#[test]
fn prices_say_which_day_is_wrong() {
    let rows: Vec<String> = weekdays("2015-01-05", 3).iter().map(|d| bar(*d)).collect();
    for (wrong, parts) in [
        ("2015-01-06,1,1,1,,1,1", ["line 3, column `Close`", "a day without a price", "2015-01-06"]),
        ("2015-01-06,1,1,1,null,1,1", ["line 3, column `Close`", "a day without a price", "2015-01-06"]),
        ("2015-01-06,1,1,0,1,1,1", ["line 3, column `Low`", "found `0`", "2015-01-06"]),
        ("2015-01-06,1,1,1,NaN,1,1", ["line 3, column `Close`", "found `NaN`", "2015-01-06"]),
        ("2015-01-05,1,1,1,1,1,1", ["line 3", "each date once", "2015-01-05 a second time"]),
        ("2015-01-02,1,1,1,1,1,1", ["line 3", "a date after 2015-01-05", "sort the rows"]),
        ("2015-02-30,1,1,1,1,1,1", ["line 3", "a date as YYYY-MM-DD", "`2015-02-30`"]),
        ("2015-01-06,1,1", ["line 3", "7 cells", "found 3"]),
    ] {
        let mut world = good();
        world.prices("AA", &[rows[0].clone(), wrong.into()]);
        all_in(&world.fails(), &parts);
    }
    let mut world = good();
    let path = world.add("price/AA.csv");
    std::fs::write(path, "Day,Close\n2015-01-05,1\n").unwrap();
    all_in(&world.fails(), &["line 1", "Adj Close", "`Day,Close`"]);
}

#[test]
fn options_and_names_are_checked() {
    let world = good();
    for (config, part) in [
        (json!({"from": "2016-01-01"}), "days in this order"),
        (json!({"train-until": "soon"}), "`train-until`"),
        (json!({"down": 1.0}), "less than `up`"),
        (json!({"lag": 5}), "unknown field `lag`"),
    ] {
        let error = world.open("days", config).err().map(|e| e.to_string()).unwrap_or_default();
        all_in(&error, &[part]);
    }
    assert!(world.open("holdout", json!({})).err().unwrap().to_string().contains("posts, prices, days"));
    let none = MarketFactory.open("dax", "days", &DataFiles::default(), &Config::default()).err().unwrap().to_string();
    all_in(&none, &["dax", "stocknet"]);
    let mut orphan = good();
    orphan.posts("ZZ", &[]);
    all_in(&orphan.fails(), &["ZZ.jsonl.gz", "a price file"]);
}

const COLUMNS: [&str; 12] = ["name", "time", "text", "like", "reply", "retweet", "rate", "ratio", "fans", "followers", "stocks", "posts"];

/// An xlsx file with inline strings; the first row is the header.
fn workbook(path: &std::path::Path, rows: &[Vec<String>]) {
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    let cells = |row: &Vec<String>| {
        row.iter()
            .map(|c| {
                if c.parse::<f64>().is_ok() { format!("<c><v>{c}</v></c>") } else { format!("<c t=\"inlineStr\"><is><t>{c}</t></is></c>") }
            })
            .collect::<String>()
    };
    let sheet: String = rows.iter().map(|r| format!("<row>{}</row>", cells(r))).collect();
    for (name, text) in [
        ("[Content_Types].xml", "<?xml version=\"1.0\"?><Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned()),
        ("_rels/.rels", "<?xml version=\"1.0\"?><Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>".to_owned()),
        ("xl/workbook.xml", "<?xml version=\"1.0\"?><workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>".to_owned()),
        ("xl/_rels/workbook.xml.rels", "<?xml version=\"1.0\"?><Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>".to_owned()),
        ("xl/worksheets/sheet1.xml", format!("<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{sheet}</sheetData></worksheet>")),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
}

fn post_row(day: &str, ratio: &str) -> Vec<String> {
    ["8282709675", day, "上涨 利好", "19200", "0", "1", "[1.5%, -2%]", ratio, "12", "340", "5", "77"].map(String::from).into()
}

fn header() -> Vec<String> {
    COLUMNS.map(String::from).into()
}

#[test]
fn the_authors_files_are_read_and_joined_with_prices() {
    let folder = tempfile::tempdir().unwrap();
    let days = weekdays("2015-01-05", 20);
    let rows: Vec<_> =
        std::iter::once(header()).chain(days.iter().map(|d| post_row(&zoo_data_market::Day(*d).to_string(), "[0.1, 0.25]"))).collect();
    workbook(&folder.path().join("00700.xlsx"), &rows);
    let posts = read_workbook(&folder.path().join("00700.xlsx")).unwrap();
    assert_eq!((posts.len(), posts[0].user, posts[0].text.as_str()), (20, 8_282_709_675, "上涨 利好"));
    assert_eq!(posts[0].profile, [340.0, 12.0, 77.0, 19_200.0, 5.0, 0.0, 0.0, 1.0]);
    assert_eq!(posts[0].at, i64::from(days[0]) * 86_400 + 86_399, "a day's posts may be as late as its last second");

    let prices = folder.path().join("prices.csv");
    let table: String = days.iter().map(|d| format!("00700,{}\n", bar(*d))).collect();
    std::fs::write(&prices, format!("Stock,{}\n{table}", common::HEADER)).unwrap();
    let config = json!({"folder": folder.path(), "prices": prices, "from": "2012-01-01"});
    let open = |config: serde_json::Value| MarketFactory.open("mman-posts", "days", &DataFiles::default(), &Config::new(config));
    let opened = open(config).unwrap();
    assert_eq!(opened.len(), 20 - 11);
    assert!(open(json!({})).err().unwrap().to_string().contains("config key `folder`"));
}

#[test]
fn inconsistent_columns_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("TSLA.xlsx");
    let fails = |rows: &[Vec<String>]| {
        workbook(&path, rows);
        read_workbook(&path).unwrap_err().to_string()
    };
    let mut renamed = header();
    renamed[8] = "fan".into();
    all_in(&fails(&[renamed]), &["TSLA.xlsx", "row 1", "missing `fans`", "unknown or twice `fan`"]);
    let mixed = [header(), post_row("2015-01-05", "[0.1]"), post_row("2015-01-06", "['Tesla', 'Apple']")];
    all_in(&fails(&mixed), &["row 3, column `ratio`", "numbers as in row 2", "found names"]);
    all_in(&fails(&[header(), post_row("2015-01-05", "['Tesla', 0.5]")]), &["row 2, column `ratio`", "not both"]);
    all_in(&fails(&[header(), post_row("soon", "[]")]), &["row 2, column `time`", "YYYY-MM-DD", "`soon`"]);
    let mut word = post_row("2015-01-05", "[]");
    word[9] = "many".into();
    all_in(&fails(&[header(), word]), &["row 2, column `followers`", "`many`"]);
    std::fs::write(&path, b"PK\x03\x04 no workbook").unwrap();
    all_in(&read_workbook(&path).unwrap_err().to_string(), &["an xlsx workbook", "save it again"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any bytes, and any damage to good files, end in an error or in data, never in a panic.
    #[test]
    fn no_bytes_panic(noise in proptest::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>(), flip in 1u8..) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        workbook(&path("good.xlsx"), &[header(), post_row("2015-01-05", "[0.1]")]);
        gz(&path("good.gz"), post(16_440, 1, 0, "a").as_bytes());
        std::fs::write(path("good.csv"), format!("{}\n{}\n", common::HEADER, bar(16_440))).unwrap();
        for name in ["good.xlsx", "good.gz", "good.csv"] {
            let mut bytes = std::fs::read(path(name)).unwrap();
            let place = at.index(bytes.len());
            bytes[place] ^= flip;
            std::fs::write(path("damaged"), &bytes).unwrap();
            std::fs::write(path("short"), &bytes[..place]).unwrap();
            std::fs::write(path("noise"), &noise).unwrap();
            for file in ["damaged", "short", "noise"] {
                let _ = (read_workbook(&path(file)), read_posts(&path(file)), read_prices(&path(file)));
            }
        }
    }
}
