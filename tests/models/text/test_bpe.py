from inglenook.models.text.bpe import END_TOKEN, START_TOKEN, tokenize


def test_case_and_white_space_make_no_difference():
    assert tokenize("A  Red\n\tCircle") == tokenize("a red circle") == [320, 736, 7117]


def test_control_characters_are_dropped():
    assert tokenize("re\x00d\u200b circle") == tokenize("red circle")


def test_composed_and_decomposed_letters_are_one():
    assert tokenize("Fu\u0308chs") == tokenize("F\u00fcchs")


def test_ideographs_are_words_of_their_own():
    assert tokenize("雪狐") == tokenize("雪 狐")


def test_special_tokens_in_a_text_are_recognised():
    assert tokenize("red<|endoftext|>circle") == [736, END_TOKEN, 7117]
    assert tokenize("<|startoftext|>") == [START_TOKEN]


def test_empty_text_has_no_tokens():
    assert tokenize("  \n") == []
