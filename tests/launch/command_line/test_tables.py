from command_line.tables import in_csv


def test_values_with_commas_and_quotes_are_quoted():
    assert in_csv("a", 'b, "c"', "") == 'a,"b, ""c""",'
