CREATE TABLE tbl_patient (pat_nr TEXT PRIMARY KEY, name TEXT, born DATE, ward TEXT, age INTEGER, remarks TEXT);
INSERT INTO tbl_patient VALUES
 ('MRN-000417', 'Ada Example',    '1961-04-12', 'cardiology', 64, 'prefers the window'),
 ('MRN-000418', 'Ben Sample',     '1988-09-30', 'surgery',    37, NULL),
 ('MRN-000419', 'Cleo Specimen',  '1974-01-05', 'cardiology', 52, NULL),
 ('MRN-000420', 'Dan Placeholder','2001-11-23', 'surgery',    25, 'allergic to latex');
