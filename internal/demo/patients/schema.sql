CREATE TABLE patients (
  mrn TEXT PRIMARY KEY, name TEXT NOT NULL, sex TEXT NOT NULL, birth_date TEXT NOT NULL,
  phone TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL, city TEXT NOT NULL, state TEXT NOT NULL, postal_code TEXT NOT NULL,
  insurer TEXT NOT NULL, plan TEXT NOT NULL, member_number TEXT NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE INDEX patients_by_name ON patients (name COLLATE NOCASE);
CREATE TABLE conditions (mrn TEXT NOT NULL, code TEXT NOT NULL, title TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (mrn, code)) WITHOUT ROWID;
CREATE INDEX conditions_by_code ON conditions (code, mrn);
CREATE TABLE medications (mrn TEXT NOT NULL, name TEXT NOT NULL, dose TEXT NOT NULL, condition TEXT NOT NULL, PRIMARY KEY (mrn, name, condition)) WITHOUT ROWID;
CREATE TABLE encounters (id TEXT NOT NULL, mrn TEXT NOT NULL, date TEXT NOT NULL, department TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL, clinician TEXT NOT NULL, PRIMARY KEY (mrn, date, id)) WITHOUT ROWID;
