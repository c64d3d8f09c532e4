// Package demo is the world that Scrim is shown in: a hospital, an insurer and a research lab, each a data domain with
// A2A agents and an MCP server of its own, and a prior authorisation that takes all three.
//
// The agents are real programs on the official SDKs that do real, if simple, work on what they receive; they need no
// model. They know nothing of Scrim. A [Routes] says how each reaches the others: through gateways, or, in tests,
// directly.
//
// The story, step by step:
//
//  1. Somebody at the hospital tells intake: start a prior authorisation for a record number and a procedure.
//  2. intake reads the record from records, the MCP server over the patient table, and writes a referral: prose and
//     structured data, in one message.
//  3. It sends this same message to care-coordinator (own domain: everything), to the insurer's prior-auth (what a
//     decision needs: diagnosis, year of birth, cost, a token for the member number, a placeholder for the name) and
//     to the lab's cohort (what a screening needs: three characters of the diagnosis, decade of birth, region).
//  4. prior-auth looks the plan up in coverage, and would like to ask the lab whether the member is in a trial. It
//     would send the lab a member number: its own domain refuses that. It goes on without.
//  5. prior-auth streams its decision and a letter that calls the patient what it was told; on the way home the
//     hospital's own names return.
//  6. cohort finds trials in trials, and would like to know who fits the profile: it asks the hospital's records. The
//     rows cannot be without record number and name, which the hospital shows no lab: refused.
//  7. The hospital releases an extract of its registry to the lab, as a table in which nobody stands out. Whoever knows
//     birth date, postal code and sex of everybody finds them in the registry, and nobody in the extract.
package demo
