"""Assessments as people and programs want them: terminal table, HTML page, JSON, CSV, Parquet.

Everything here is made from `finevq.records` alone: no video, no model, no session. That is why the
package stands beside video, prompts and model in the order of imports, and the command line and
a server can use it alike.
"""
