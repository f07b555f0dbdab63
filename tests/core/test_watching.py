"""When an edit is told of."""

from __future__ import annotations

from hypothesis import given, strategies as st

from profilemesh_airflow.core.watching import Look, Watching, digest_of, joint_digest

DEBOUNCE = 2.0
NEW, SAME, GONE = Look("new"), Look("old"), Look(None, "there is no such file")


def test_nothing_is_looked_at_before_something_stirs():
    assert Watching(DEBOUNCE).wait(100.0) is None


def test_files_are_looked_at_when_they_are_quiet():
    stirred = Watching(DEBOUNCE, "old").stirred(10.0)
    assert (stirred.wait(10.5), stirred.stirred(11.0).wait(11.5), stirred.wait(99.0)) == (1.5, 1.5, 0.0)
    assert stirred.looked(NEW)[0].wait(99.0) is None


def test_an_edit_is_other_content_than_was_told_of():
    watching = Watching(DEBOUNCE, "old")
    after, told = watching.looked(NEW)
    assert told
    assert after.looked(NEW)[1] is False
    assert after.looked(SAME)[1] is True, "back to what was before is an edit, too"
    assert watching.looked(SAME)[1] is False, "a touch"


def test_a_file_that_is_gone_or_saved_in_half_is_waited_for():
    watching = Watching(DEBOUNCE, "old")
    gone, told = watching.looked(GONE)
    assert (told, gone.known, gone.trouble) == (False, "old", "there is no such file")
    assert gone.looked(SAME) == (watching, False), "it came back as it was"
    assert gone.looked(NEW)[1]


def test_without_anything_known_what_is_there_is_told_of():
    assert Watching(DEBOUNCE).looked(SAME)[1]


@given(st.lists(st.tuples(st.floats(0.0, DEBOUNCE - 0.1), st.sampled_from("abc")), min_size=1, max_size=20))
def test_a_burst_of_saves_is_one_edit_at_most_and_only_if_it_ends_elsewhere(saves):
    now, content, watching, told = 0.0, "a", Watching(DEBOUNCE, "a"), []
    for pause, new in saves:
        now += pause
        if watching.wait(now) == 0:
            watching, edited = watching.looked(Look(content))
            told += [content] * edited
        content, watching = new, watching.stirred(now)
    assert told == []
    watching, edited = watching.looked(Look(content))
    assert edited == (content != "a")


def test_the_digest_of_a_configuration_changes_with_each_of_its_files_and_no_other():
    main = digest_of(b"environment: test")
    assert joint_digest(main, {}) == main
    digests = [
        joint_digest(main, {"a": "1"}),
        joint_digest(main, {"a": "2"}),
        joint_digest(main, {"b": "1"}),
        joint_digest(main, {"a": None}),
        joint_digest(main, {"a": "1", "b": "1"}),
        joint_digest(digest_of(b""), {"a": "1"}),
    ]
    assert len(set(digests)) == len(digests)
    assert joint_digest(main, {"a": "1", "b": "2"}) == joint_digest(main, {"b": "2", "a": "1"})
