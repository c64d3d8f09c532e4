// Package files computes bounded sums over tables that are files: CSV, JSON lines and Parquet, several files a table.
//
// What a question reads goes through in batches of columns, by as many workers as there are processors. Rows are then kept by hash of their
// unit, in as few words as what is asked of them needs, so that each unit is looked at as a whole and by one worker. Texts are kept once
// each. What does not fit the memory that the engine may take is computed in several readings of the files, each for some of the units.
//
// Files may change while they are read. That is noticed, by what the system says of them and by their digest where they are read
// twice, and no answer comes of it. So is a file that is no table: no question that reads it is answered, whatever it asks. What stands
// in a cell never makes a question fail.
package files
