"""Checks that kill nothing which no other check kills, and why they stay."""

from __future__ import annotations

JUSTIFIED: dict[str, str] = {
    "tied-by-assigning": (
        "A name that joins the state shows in golden keys, where some were written down; whether "
        "the two are one after loading is asked here alone."
    ),
    "permutation": (
        "A row that is alone is the first row, so `row-alone` sees what it sees; but it "
        "runs the batch as it is, and so points at rows that are mixed and not at "
        "padding."
    ),
    "padding-poison": (
        "`more-padding` fills in one number where it tries several, and other checks "
        "stumble over the same; it is the check whose message names the cause."
    ),
    "copies": "Other checks work on copies themselves, and stumble over what it names.",
    "frames-not-negative": (
        "A frame below 0 breaks `frames-from-log` as well; where a predictor returns no "
        "prediction it is the only one that asks."
    ),
    "side-inputs-matter": (
        "No component of the table has side inputs; toys that have some are in "
        "`tests/kokoro_core/testing/test_capabilities.py`."
    ),
    "frames-vary": ("`sensitivity` finds a predictor that says nothing; rounding is its own word."),
    "causality": (
        "A step cannot know what comes later, so `step-equals-forward` differs as well; "
        "but not where training runs through the steps, and only it names the frame that "
        "is known."
    ),
    "row-alone": (
        "`long-rows`, `more-padding` and `row-alone-in-training` ask the same of other "
        "rows; it asks of small ones that are drawn and shrunk, so that its case shows "
        "the leak."
    ),
    "reach": (
        "`long-rows` asks it of two long rows; here the case is small and names the two steps."
    ),
    "rows-are-coupled": (
        "`modes` stumbles over statistics that are declared and not there; it is the "
        "check that the declaration is still true."
    ),
    "dtype-and-back": (
        "A table of low precision is wrong for long rows as well; only it asks what is "
        "left of a table after bfloat16 and back."
    ),
}
